# The formula of a tap. The release workflow fills in VERSION and the checksums.
class SfScan < Formula
  desc "Finds leaked Sixtyfour API keys in working trees and in git"
  homepage "https://github.com/OWNER/sf-scan"
  version "VERSION"
  license any_of: ["MIT", "Apache-2.0"]

  on_macos do
    on_arm do
      url "https://github.com/OWNER/sf-scan/releases/download/vVERSION/sf-scan-VERSION-aarch64-apple-darwin.tar.gz"
      sha256 "SHA256-aarch64-apple-darwin"
    end
    on_intel do
      url "https://github.com/OWNER/sf-scan/releases/download/vVERSION/sf-scan-VERSION-x86_64-apple-darwin.tar.gz"
      sha256 "SHA256-x86_64-apple-darwin"
    end
  end

  on_linux do
    on_arm do
      url "https://github.com/OWNER/sf-scan/releases/download/vVERSION/sf-scan-VERSION-aarch64-unknown-linux-musl.tar.gz"
      sha256 "SHA256-aarch64-unknown-linux-musl"
    end
    on_intel do
      url "https://github.com/OWNER/sf-scan/releases/download/vVERSION/sf-scan-VERSION-x86_64-unknown-linux-musl.tar.gz"
      sha256 "SHA256-x86_64-unknown-linux-musl"
    end
  end

  def install
    bin.install "sf-scan"
    man1.install "sf-scan.1"
    bash_completion.install "completions/sf-scan.bash" => "sf-scan"
    zsh_completion.install "completions/_sf-scan"
    fish_completion.install "completions/sf-scan.fish"
  end

  test do
    (testpath/"clean.txt").write "clean\n"
    assert_match "No findings", shell_output("#{bin}/sf-scan clean.txt")
  end
end
