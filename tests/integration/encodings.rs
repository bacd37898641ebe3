//! Every encoding in the kinds of files that it occurs in: the key is found at its place with the name of its encoding.

use crate::support::encode::{Encoder, Written};
use crate::support::keeper::{Keeper, RULES, fingerprint};
use crate::support::random::Random;
use crate::support::{Project, count, findings};
use serde_json::{Value, json};
use sf_scan::finding::{Finding, Point};
use sf_scan::rule::{Confidence, Level, RuleSet, parse, template};
use std::collections::BTreeMap;
use std::ops::Range;

/// Where in a file stands what is encoded.
const PLACE: &str = "@@";

/// A way to write a text, and files in which it is done.
struct Encoding {
    name: &'static str,
    /// A template of what is encoded; its first place is the secret.
    text: &'static str,
    /// From the inside out.
    chain: &'static [Encoder],
    /// The reading that is reported; empty for a plain key.
    reading: Option<&'static str>,
    files: &'static [(&'static str, &'static str)],
}

/// Files with one long word in them.
const WORD: &[(&str, &str)] = &[
    (
        "deploy/secret.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: app\ntype: Opaque\ndata:\n  token: @@\n",
    ),
    (".env", "PORT=8080\nTOKEN_ENCODED=\"@@\"\nLOG=info\n"),
    ("app.jsonl", "{\"level\":\"info\",\"payload\":\"@@\"}\n{\"level\":\"info\",\"payload\":\"\"}\n"),
    ("client.py", "import base64, binascii\n\nTOKEN = decode(b'@@')\n"),
    ("run.sh", "#!/bin/sh\necho @@ | decode > token\n"),
    ("main.tf", "resource \"aws_instance\" \"app\" {\n  user_data_base64 = \"@@\"\n}\n"),
    (
        "a.har",
        "{\"log\":{\"entries\":[{\"request\":{\"url\":\"https://example.org/\"},\"response\":{\"content\":{\"text\":\"@@\",\"encoding\":\"base64\"}}}]}}",
    ),
    ("a.ipynb", "{\"cells\":[{\"cell_type\":\"code\",\"source\":[\"t = '@@'\\n\",\"print(t)\"]}]}\n"),
    ("export.csv", "id,name,value\n7,\"caf\u{e9} \u{1f600}\",@@\n8,b,c\n"),
    ("NOTES.md", "# Notes\n\n```\n@@\n```\n\nDone.\n"),
    ("web.config", "<configuration>\r\n  <add key=\"Token\" value=\"@@\" />\r\n</configuration>\r\n"),
    (
        "a.reg",
        "Windows Registry Editor Version 5.00\r\n\r\n[HKEY_CURRENT_USER\\Software\\App]\r\n\"Token\"=\"@@\"\r\n",
    ),
    ("app.ini", "[app]\ntoken = @@\n; end\n"),
    ("mail.eml", "From: a@example.org\r\nX-Token: @@\r\n\r\nHello\r\n"),
    ("access.log", "10.0.0.1 - - [25/Nov/2025:10:00:00 +0000] \"GET /cb?state=@@&x=1 HTTP/1.1\" 200 12\n"),
    ("index.html", "<a download href=\"data:text/plain;base64,@@\">token</a>\n"),
];

/// Files with lines of their own, without indentation.
const LINES: &[(&str, &str)] = &[
    ("token.pem", "-----BEGIN TOKEN-----\n@@\n-----END TOKEN-----\n"),
    ("run.sh", "decode <<'END' > .env\n@@\nEND\nexit 0\n"),
    ("client.py", "DATA = decode(\"\"\"\n@@\n\"\"\")\n"),
    ("NOTES.md", "# Dump\n\n```\n@@\n```\n"),
    ("mail.eml", "Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\n@@\n\n--\n"),
    ("app.log", "10:00:00 body follows\n@@\n10:00:01 caf\u{e9} \u{1f600}\n"),
    ("Dockerfile", "FROM scratch\nCOPY <<END /dump\n@@\nEND\n"),
];

/// Files with lines that are indented by four blanks.
const INDENTED: &[(&str, &str)] = &[
    ("secret.yaml", "kind: Secret\ndata:\n  env: |\n    @@\n  other: YQ==\n"),
    ("a.plist", "<plist><dict>\n  <key>env</key>\n  <data>\n    @@\n  </data>\n</dict></plist>\n"),
    ("main.tf", "locals {\n  env = <<-END\n    @@\n  END\n}\n"),
    ("index.rst", "Dump::\n\n    @@\n\nEnd.\n"),
    ("config.xml", "<config>\n  <env>\n    @@\n  </env>\n</config>\n"),
    ("values.toml", "env = '''\n    @@\n'''\n"),
];

/// Files of mail.
const MAIL: &[(&str, &str)] = &[
    (
        "a.eml",
        "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n@@\r\n\r\n--x--\r\n",
    ),
    (
        "saved.mht",
        "MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=x\r\n\r\n--x\r\nContent-Transfer-Encoding: base64\r\n\r\n@@\r\n--x--\r\n",
    ),
    (
        "Inbox.mbox",
        "From a Tue Nov 25 10:00:00 2025\r\nSubject: =?utf-8?Q?caf=C3=A9?=\r\n\r\n@@\r\n\r\nFrom b Tue Nov 25 10:00:01 2025\r\n",
    ),
    ("a.ps1", "$data = @'\r\n@@\r\n'@\r\n"),
    ("a.csr.txt", "-----BEGIN DATA-----\r\n@@\r\n-----END DATA-----\r\n"),
    ("notes.txt", "dump:\r\n\r\n@@\r\n\r\nend\r\n"),
];

/// Files whose lines go on behind a tab.
const TABBED: &[(&str, &str)] = &[
    ("Info.plist", "<plist>\n<dict>\n\t<key>env</key>\n\t<data>\n\t@@\n\t</data>\n</dict>\n</plist>\n"),
    ("Makefile", "define ENV\n\t@@\nendef\n"),
    ("main.go", "const env = `\n\t@@\n`\n"),
    ("config.xml", "<config>\n\t@@\n</config>\n"),
    ("run.sh", "decode <<-END\n\t@@\n\tEND\n"),
];

/// Files with strings of languages.
const STRINGS: &[(&str, &str)] = &[
    ("main.py", "import os\nTOKEN = \"@@\"\n"),
    ("main.c", "/* caf\u{e9} */ static const char token[] = \"@@\";\n"),
    ("app.js", "const caf\u{e9} = '\u{1f600}', token = \"@@\";\n"),
    ("min.js", "!function(){var _0x1=[\"log\",\"@@\",\"push\"];console[_0x1[0]](_0x1[1])}();"),
    ("run.sh", "printf '%b' '@@' > token\nTOKEN=$'@@'\n"),
    ("index.php", "<?php\n$token = \"@@\";\n"),
    ("main.rb", "token = \"@@\"\n"),
    ("main.go", "package main\n\nconst token = \"@@\"\n"),
    ("Main.java", "class Main {\n    static final String TOKEN = \"@@\";\n}\n"),
    ("app.json", "{\n  \"token\": \"@@\",\n  \"other\": 1\n}\n"),
    ("app.properties", "app.name=x\napp.token=@@\n"),
    ("NOTES.md", "Use `@@` here.\n"),
    ("app.log", "10:00:00 INFO raw: b'@@'\n"),
    ("app.yaml", "app:\n  token: \"@@\"\n"),
];

/// Files with tables of bytes.
const BYTES: &[(&str, &str)] = &[
    ("main.c", "static const unsigned char token[] = { @@ };\n"),
    ("token.h", "// caf\u{e9}\nconst uint8_t TOKEN[] PROGMEM = {\n  @@\n};\n"),
    ("main.rs", "const TOKEN: &[u8] = &[@@];\n"),
    ("main.go", "var token = []byte{@@}\n"),
    ("app.js", "const token = new Uint8Array([@@]);\n"),
    ("main.py", "TOKEN = bytes([@@])\n"),
    ("Main.cs", "static readonly byte[] Token = { @@ };\n"),
    ("dump.txt", "payload: @@\n"),
    ("NOTES.md", "```\n@@\n```\n"),
    ("capture.csv", "1,\"@@\",udp\n"),
];

/// Files with URLs.
const URLS: &[(&str, &str)] = &[
    ("access.log", "10.0.0.1 - - [25/Nov/2025:10:00:00 +0000] \"GET /v1/x?token=@@&y=1 HTTP/1.1\" 200 12\n"),
    (
        "a.har",
        "{\"log\":{\"entries\":[{\"request\":{\"method\":\"GET\",\"url\":\"https://example.org/x?token=@@\"}}]}}",
    ),
    (".env", "DATABASE_URL=postgres://app:@@@db.example.org/app\n"),
    ("run.sh", "curl 'https://example.org/x?token=@@'\n"),
    ("index.html", "<p>caf\u{e9} \u{1f600} <a href=\"/x?token=@@\">x</a></p>\n"),
    ("README.md", "See [x](https://example.org/x?token=@@).\n"),
    ("export.csv", "1,https://example.org/x?token=@@,200\n"),
    ("collection.json", "{\"item\":[{\"request\":{\"url\":{\"raw\":\"{{base}}/x?token=@@\"}}}]}\n"),
    ("cookies.txt", ".example.org\tTRUE\t/\tTRUE\t0\ttoken\t@@\n"),
    ("body.txt", "grant_type=client&client_secret=@@&scope=all"),
    ("app.py", "URL = 'https://example.org/x?token=@@'\n"),
];

/// Files with markup.
const MARKUP: &[(&str, &str)] = &[
    ("index.html", "<!doctype html>\n<p>caf\u{e9} \u{1f600} <code>@@</code></p>\n"),
    ("config.xml", "<config>\n  <token>@@</token>\n</config>\n"),
    ("feed.rss", "<rss><channel><item><description>@@</description></item></channel></rss>\n"),
    ("strings.xml", "<resources>\n    <string name=\"token\">@@</string>\n</resources>\n"),
    ("web.config", "<configuration>\r\n  <add key=\"Token\" value=\"@@\" />\r\n</configuration>\r\n"),
    ("a.svg", "<svg xmlns=\"http://www.w3.org/2000/svg\"><text>@@</text></svg>\n"),
    ("NOTES.md", "| a | b |\n|---|---|\n| x | @@ |\n"),
    ("app.jsonl", "{\"html\":\"<td>@@</td>\"}\n"),
    ("mail.eml", "Content-Type: text/html\r\n\r\n<p>@@</p>\r\n"),
    ("App.xaml", "<sys:String x:Key=\"Token\">@@</sys:String>\n"),
];

/// Text of mail.
const PRINTABLE: &[(&str, &str)] = &[
    (
        "a.eml",
        "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n@@\r\n\r\n--x--\r\n",
    ),
    ("saved.mht", "MIME-Version: 1.0\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n@@\r\n"),
    (
        "Inbox.mbox",
        "From a Tue Nov 25 10:00:00 2025\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n@@\r\n",
    ),
    ("a.vcf", "BEGIN:VCARD\r\nVERSION:2.1\r\nNOTE;ENCODING=QUOTED-PRINTABLE:\r\n@@\r\nEND:VCARD\r\n"),
    ("archive.txt", "> on Tuesday\r\n\r\n@@\r\n"),
    ("test_mail.py", "MAIL = b\"\"\"\\\nContent-Transfer-Encoding: quoted-printable\n\n@@\n\"\"\"\n"),
    ("saved.html", "<pre>\r\n@@\r\n</pre>\r\n"),
];

/// Files as programs on Windows write them.
const WINDOWS: &[(&str, &str)] = &[
    (
        "a.reg",
        "Windows Registry Editor Version 5.00\r\n\r\n[HKEY_CURRENT_USER\\Software\\App]\r\n\"Token\"=\"@@\"\r\n",
    ),
    ("app.ini", "[app]\r\ntoken=@@\r\n"),
    ("export.csv", "id;name;value\r\n7;x;@@\r\n"),
    ("profile.ps1", "$env:TOKEN = '@@'\r\n"),
    ("seed.sql", "INSERT INTO t VALUES (1, N'@@');\r\nGO\r\n"),
    ("notes.txt", "see below\n\n@@\n"),
    ("strings.strings", "\"token\" = \"@@\";\n"),
    ("app.json", "{\"token\": \"@@\"}\n"),
    ("task.xml", "<?xml version=\"1.0\" encoding=\"UTF-16\"?>\r\n<Arguments>@@</Arguments>\r\n"),
];

/// Files with JSON in strings.
const NESTED: &[(&str, &str)] = &[
    (
        "a.har",
        "{\"log\":{\"entries\":[{\"request\":{\"postData\":{\"mimeType\":\"application/json\",\"text\":\"@@\"}}}]}}",
    ),
    ("app.jsonl", "{\"ts\":1,\"message\":\"@@\"}\n"),
    ("a.ipynb", "{\"cells\":[{\"outputs\":[{\"text\":[\"@@\\n\"]}]}]}\n"),
    (
        "terraform.tfstate",
        "{\n  \"resources\": [{\"instances\": [{\"attributes\": {\"body\": \"@@\"}}]}]\n}\n",
    ),
    ("run.sh", "curl -d \"@@\" https://example.org/\n"),
    ("index.html", "<script id=\"data\" type=\"application/json\">\"@@\"</script>\n"),
    ("dump.sql", "INSERT INTO events VALUES (7, '@@');\n"),
    ("app.yaml", "app:\n  config: \"@@\"\n"),
    ("NOTES.md", "caf\u{e9} \u{1f600}: `\"@@\"`\n"),
];

/// What terminals showed.
const TERMINAL: &[(&str, &str)] = &[
    ("ci.log", "2025-11-25T10:00:00Z caf\u{e9} \u{1f600} token @@ ok\n"),
    ("typescript", "Script started on 2025-11-25\r\n$ cat .env\r\nTOKEN=@@\r\n"),
    ("NOTES.md", "```\n$ grep -r token\na.env:@@\n```\n"),
    ("docker.log", "web_1  | token=@@\n"),
    ("stdout.txt", "@@\n"),
    ("screen.ans", "\u{1b}[2J\u{1b}[H  @@  \u{1b}[0m\n"),
];

/// Encodings in JSON.
const TERMINAL_JSON: &[(&str, &str)] = &[
    ("a.ipynb", "{\"cells\":[{\"outputs\":[{\"text\":[\"@@\\n\"]}]}]}\n"),
    ("session.cast", "{\"version\": 2}\n[0.5, \"o\", \"token @@\\r\\n\"]\n"),
    ("docker-json.log", "{\"log\":\"token=@@\\n\",\"stream\":\"stdout\"}\n"),
    ("transcript.jsonl", "{\"role\":\"tool\",\"content\":\"token @@\"}\n"),
    ("build.json", "{\"steps\":[{\"output\":\"@@\"}]}\n"),
];

/// Text that is longer than a line, with the key over the end of one, wherever lines end.
const SETTINGS: &str =
    "# settings of the service\nTOKEN={key}\nPORT=8080\nLOG_LEVEL=info\nNAME=of a service that is long\n";

use Encoder::*;

const ENCODINGS: &[Encoding] = &[
    Encoding { name: "base64", text: "{key}", chain: &[Base64], reading: Some("base64"), files: WORD },
    Encoding {
        name: "base64, one behind",
        text: ":{key}",
        chain: &[Base64],
        reading: Some("base64"),
        files: WORD,
    },
    Encoding {
        name: "base64, two behind",
        text: "u:{key}\n",
        chain: &[Base64],
        reading: Some("base64"),
        files: WORD,
    },
    Encoding {
        name: "base64 of JSON",
        text: "{\"q\":\"??>>~~\",\"token\":\"{key}\"}",
        chain: &[Base64],
        reading: Some("base64"),
        files: WORD,
    },
    Encoding {
        name: "base64 without padding",
        text: "k {key} ??>>~~",
        chain: &[Base64Unpadded],
        reading: Some("base64"),
        files: WORD,
    },
    Encoding {
        name: "base64url",
        text: "??>>~~ {key} ??>>~~",
        chain: &[Base64Url],
        reading: Some("base64"),
        files: WORD,
    },
    Encoding {
        name: "base64url with padding",
        text: "?>~ {key} ??>>~~",
        chain: &[Base64UrlPadded],
        reading: Some("base64"),
        files: WORD,
    },
    Encoding {
        name: "base64 twice",
        text: "{key}\n",
        chain: &[Base64, Base64],
        reading: Some("base64, then base64"),
        files: WORD,
    },
    Encoding {
        name: "base64 in JSON",
        text: "??? {key} ???",
        chain: &[Base64, Json],
        reading: Some("base64"),
        files: NESTED,
    },
    Encoding {
        name: "base64 of 64",
        text: SETTINGS,
        chain: &[Base64Lines(64, "\n", 0)],
        reading: Some("base64"),
        files: LINES,
    },
    Encoding {
        name: "base64 of 64, indented",
        text: SETTINGS,
        chain: &[Base64Lines(64, "\n", 4)],
        reading: Some("base64"),
        files: INDENTED,
    },
    Encoding {
        name: "base64 of 76",
        text: SETTINGS,
        chain: &[Base64Lines(76, "\r\n", 0)],
        reading: Some("base64"),
        files: MAIL,
    },
    Encoding {
        name: "base64 of 76 behind a tab",
        text: SETTINGS,
        chain: &[Base64Lines(76, "\n\t", 0)],
        reading: Some("base64"),
        files: TABBED,
    },
    Encoding {
        name: "base64 of 60 in JSON",
        text: SETTINGS,
        chain: &[Base64Lines(60, "\n", 0), Json],
        reading: Some("escapes, then base64"),
        files: NESTED,
    },
    Encoding { name: "hexadecimal", text: "{key}", chain: &[Hex], reading: Some("hexadecimal"), files: WORD },
    Encoding {
        name: "upper hexadecimal",
        text: "k={key}\n",
        chain: &[HexUpper],
        reading: Some("hexadecimal"),
        files: WORD,
    },
    Encoding {
        name: "hexadecimal of 60",
        text: SETTINGS,
        chain: &[HexLines(60, "\n", 0)],
        reading: Some("hexadecimal"),
        files: LINES,
    },
    Encoding {
        name: "hexadecimal of 64, indented",
        text: SETTINGS,
        chain: &[HexLines(64, "\n", 4)],
        reading: Some("hexadecimal"),
        files: INDENTED,
    },
    Encoding {
        name: "hexadecimal of 48, behind a tab",
        text: SETTINGS,
        chain: &[HexLines(48, "\n\t", 0)],
        reading: Some("hexadecimal"),
        files: TABBED,
    },
    Encoding { name: "\\xHH", text: "{key}", chain: &[BackslashX], reading: Some("escapes"), files: STRINGS },
    Encoding {
        name: "\\uHHHH",
        text: "{key}",
        chain: &[BackslashU],
        reading: Some("escapes"),
        files: STRINGS,
    },
    Encoding {
        name: "\\u{HH}",
        text: "{key}",
        chain: &[BackslashBraces],
        reading: Some("escapes"),
        files: STRINGS,
    },
    Encoding { name: "octal", text: "{key}", chain: &[Octal], reading: Some("escapes"), files: STRINGS },
    Encoding {
        name: "bytes",
        text: "{key}",
        chain: &[HexBytes(" ", "")],
        reading: Some("hexadecimal"),
        files: BYTES,
    },
    Encoding {
        name: "bytes in text",
        text: "token={key};",
        chain: &[HexBytes(" ", "")],
        reading: Some("hexadecimal"),
        files: BYTES,
    },
    Encoding {
        name: "0xHH",
        text: "{key}",
        chain: &[HexBytes(", ", "0x")],
        reading: Some("hexadecimal"),
        files: BYTES,
    },
    Encoding {
        name: "0xHH in text",
        text: "token={key}\n",
        chain: &[HexBytes(", ", "0x")],
        reading: Some("hexadecimal"),
        files: BYTES,
    },
    Encoding {
        name: "percent",
        text: "x/{key}/?y",
        chain: &[Percent],
        reading: Some("percent-encoding"),
        files: URLS,
    },
    Encoding {
        name: "%5F alone",
        text: "{key}",
        chain: &[Percent],
        reading: Some("percent-encoding"),
        files: URLS,
    },
    Encoding {
        name: "percent of all",
        text: "{key}",
        chain: &[PercentAll],
        reading: Some("percent-encoding"),
        files: URLS,
    },
    Encoding {
        name: "percent twice",
        text: "{key}",
        chain: &[Percent, Percent],
        reading: Some("percent-encoding, then percent-encoding"),
        files: URLS,
    },
    Encoding {
        name: "named entities",
        text: "{key}",
        chain: &[EntityNamed],
        reading: Some("entities"),
        files: MARKUP,
    },
    Encoding {
        name: "decimal entities",
        text: "{key}",
        chain: &[EntityDecimal],
        reading: Some("entities"),
        files: MARKUP,
    },
    Encoding {
        name: "hexadecimal entities",
        text: "{key}",
        chain: &[EntityHex],
        reading: Some("entities"),
        files: MARKUP,
    },
    Encoding {
        name: "quoted-printable",
        text: "Hello,\r\nhere is the token of the service: {key} and more words behind it\r\n",
        chain: &[QuotedPrintable],
        reading: Some("quoted-printable"),
        files: PRINTABLE,
    },
    Encoding {
        name: "quoted-printable of all",
        text: "{key}",
        chain: &[QuotedPrintableAll],
        reading: Some("quoted-printable"),
        files: PRINTABLE,
    },
    Encoding {
        name: "a line that mail breaks",
        text: "Hello,\r\nhere is the token of the service that you wanted: {key} and more\r\n",
        chain: &[QuotedPrintableMail],
        reading: Some("parts"),
        files: PRINTABLE,
    },
    Encoding {
        name: "UTF-16, low first",
        text: "{key}",
        chain: &[Utf16Le(false)],
        reading: Some("UTF-16"),
        files: WINDOWS,
    },
    Encoding {
        name: "UTF-16, high first",
        text: "{key}",
        chain: &[Utf16Be(false)],
        reading: Some("UTF-16"),
        files: WINDOWS,
    },
    Encoding {
        name: "UTF-16, low first, with a mark",
        text: "{key}",
        chain: &[Utf16Le(true)],
        reading: Some("UTF-16"),
        files: WINDOWS,
    },
    Encoding {
        name: "UTF-16, high first, with a mark",
        text: "{key}",
        chain: &[Utf16Be(true)],
        reading: Some("UTF-16"),
        files: WINDOWS,
    },
    Encoding {
        name: "UTF-32, low first",
        text: "{key}",
        chain: &[Utf32Le(false)],
        reading: Some("UTF-32"),
        files: WINDOWS,
    },
    Encoding {
        name: "UTF-32, high first",
        text: "{key}",
        chain: &[Utf32Be(false)],
        reading: Some("UTF-32"),
        files: WINDOWS,
    },
    Encoding {
        name: "UTF-32, low first, with a mark",
        text: "{key}",
        chain: &[Utf32Le(true)],
        reading: Some("UTF-32"),
        files: WINDOWS,
    },
    Encoding {
        name: "UTF-32, high first, with a mark",
        text: "{key}",
        chain: &[Utf32Be(true)],
        reading: Some("UTF-32"),
        files: WINDOWS,
    },
    Encoding {
        name: "base64 in UTF-16",
        text: "{key}",
        chain: &[Base64, Utf16Le(true)],
        reading: Some("UTF-16, then base64"),
        files: WINDOWS,
    },
    Encoding {
        name: "UTF-16 in base64, as PowerShell takes it",
        text: "$t = '{key}'",
        chain: &[Utf16Le(false), Base64],
        reading: Some("base64, then UTF-16"),
        files: WORD,
    },
    Encoding {
        name: "JSON in JSON in JSON",
        text: "{\"a\":{\"token\":\"{key}\"}}",
        chain: &[Json, Json, Json],
        reading: None,
        files: NESTED,
    },
    Encoding {
        name: "JSON in JSON in JSON, strictly",
        text: "{\"token\":\"{key}\"}",
        chain: &[JsonStrict, Json, Json],
        reading: Some("escapes, then escapes, then escapes"),
        files: NESTED,
    },
    Encoding {
        name: "colours",
        text: "{key}",
        chain: &[Coloured(4, "\u{1b}[1;31m")],
        reading: Some("parts"),
        files: TERMINAL,
    },
    Encoding {
        name: "a colour within",
        text: "{key}",
        chain: &[Coloured(20, "\u{1b}[0m\u{1b}[33m")],
        reading: Some("parts"),
        files: TERMINAL,
    },
    Encoding {
        name: "colours in JSON",
        text: "{key}",
        chain: &[Coloured(11, "\\u001b[33m")],
        reading: Some("parts"),
        files: TERMINAL_JSON,
    },
];

/// A file with a secret, and where it stands.
struct Planted {
    path: String,
    bytes: Vec<u8>,
    secret: String,
    rule: &'static str,
    reading: Option<&'static str>,
    start: Point,
    end: Point,
}

/// Whether an encoding is that of a file as a whole.
fn is_wide(encoder: &Encoder) -> bool {
    matches!(encoder, Utf16Le(_) | Utf16Be(_) | Utf32Le(_) | Utf32Be(_))
}

/// Fills a template in and writes it in an encoding into a file; `rule` is the one of the secret.
fn plant(path: String, rule: &'static str, encoding: &Encoding, file: &str, seed: u64) -> Planted {
    let (text, places) = template::expand_and_mark(encoding.text, seed);
    write(path, rule, encoding, file, text, places[0].clone())
}

fn write(
    path: String,
    rule: &'static str,
    encoding: &Encoding,
    file: &str,
    text: String,
    part: Range<usize>,
) -> Planted {
    let secret = text[part.clone()].to_owned();
    // What is written last is the file as a whole, where that is in units of several bytes.
    let (inner, whole) = match encoding.chain.split_last() {
        Some((last, inner)) if is_wide(last) => (inner, Some(last)),
        _ => (encoding.chain, None),
    };
    let written = inner.iter().fold(Written { bytes: text.into_bytes(), part }, |text, encoder| {
        encoder.write(&text.bytes, text.part)
    });
    let (before, behind) = file.split_once(PLACE).expect("a place");
    // Some files say it twice; once is enough here.
    let behind = behind.replace(PLACE, "x");
    let bytes = [before.as_bytes(), &written.bytes, behind.as_bytes()].concat();
    let part = before.len() + written.part.start..before.len() + written.part.end;
    let marks = [part.start, part.end].map(|at| count(&String::from_utf8_lossy(&bytes[..at])));
    let Written { bytes, part } = match whole {
        Some(encoder) => encoder.write(&bytes, part),
        None => Written { bytes, part },
    };
    let point = |offset: usize, [line, column, utf16_column]: [u64; 3]| Point {
        offset: offset as u64,
        line,
        column,
        utf16_column,
    };
    let [start, end] = marks;
    let (start, end) = (point(part.start, start), point(part.end, end));
    Planted { path, bytes, secret, rule, reading: encoding.reading, start, end }
}

/// Every encoding in every kind of file.
fn all(round: u64) -> Vec<Planted> {
    let mut planted = Vec::new();
    for (number, encoding) in ENCODINGS.iter().enumerate() {
        assert!(encoding.files.len() >= 5, "{} has {} kinds of files", encoding.name, encoding.files.len());
        for (at, (name, file)) in encoding.files.iter().enumerate() {
            let path = format!("{number}/{at}/{name}");
            planted.push(plant(path, KEY, encoding, file, 10_000 * round + 100 * number as u64 + at as u64));
        }
    }
    planted
}

impl Planted {
    /// Whether a finding is this secret, at its place.
    fn is(&self, rules: &RuleSet, finding: &Finding) -> bool {
        *finding.rule == *self.rule
            && finding.secret.fingerprint().to_string() == fingerprint(rules, self.rule, &self.secret)
            && (finding.region.start, finding.region.end) == (self.start, self.end)
    }

    /// What was found instead, for people.
    fn instead(&self, found: &[Finding]) -> String {
        let reported = |finding: &Finding| {
            let Finding { rule, region, reading, level, confidence, evidence, .. } = finding;
            format!(
                "  {rule} {:?} {reading:?} {level:?} {confidence:?} {evidence}\n",
                (region.start, region.end)
            )
        };
        let reported: String = found.iter().map(reported).collect();
        let Planted { path, bytes, reading, start, end, .. } = self;
        format!("{path} {:?} {reading:?}\n{reported}{}", (start, end), String::from_utf8_lossy(bytes))
    }
}

/// Checks that each secret is found once, with its reading.
#[track_caller]
fn check(rules: &RuleSet, planted: &[Planted]) {
    let mut wrong = Vec::new();
    for planted in planted {
        let found = Keeper::of(rules).read(1 << 16, &planted.path, &mut &planted.bytes[..]).findings;
        let is_right =
            |found: &Finding| planted.is(rules, found) && found.reading.as_deref() == planted.reading;
        if found.len() != 1 || !found.iter().all(is_right) {
            wrong.push(planted.instead(&found));
        }
    }
    assert!(wrong.is_empty(), "{} of {} files:\n{}", wrong.len(), planted.len(), wrong.join("\n"));
}

#[test]
fn finds_key_in_every_encoding_in_every_kind_of_file() {
    for round in 0..5 {
        check(&RULES, &all(round));
    }
}

/// The program prints the readings too.
#[test]
fn finds_key_in_every_encoding_in_a_working_tree() {
    let project = Project::new();
    let planted = all(5);
    for file in &planted {
        project.write(&file.path, &file.bytes);
    }
    let (run, report) = project.json(["."]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    let point = |point: &Point| json!({"offset": point.offset, "line": point.line, "column": point.column, "utf16_column": point.utf16_column});
    let expected: BTreeMap<&str, Value> = planted
        .iter()
        .map(|file| {
            let fingerprint = fingerprint(&RULES, file.rule, &file.secret);
            (&*file.path, json!([file.rule, fingerprint, file.reading, point(&file.start), point(&file.end)]))
        })
        .collect();
    let mut found = BTreeMap::new();
    for finding in findings(&report) {
        let [rule, fingerprint, reading, start, end] =
            ["rule", "fingerprint", "reading", "start", "end"].map(|key| finding[key].clone());
        let path = finding["path"].as_str().expect("a path");
        let before = found.insert(path, json!([rule, fingerprint, reading, start, end]));
        assert!(before.is_none(), "twice in {path}");
    }
    assert_eq!(found.len(), expected.len());
    for (path, expected) in &expected {
        assert_eq!(found.get(path), Some(expected), "{path}");
    }
    for file in &planted {
        assert!(!run.stdout.contains(&file.secret[..9]), "{} shows its key", file.path);
    }
}

/// A secret in an encoding, with or without words near that say whose it is.
struct InContext {
    name: &'static str,
    rule: &'static str,
    level: Level,
    confidence: Confidence,
    /// What is encoded, and how.
    text: &'static str,
    chain: &'static [Encoder],
    file: (&'static str, &'static str),
}

const KEY: &str = "sixtyfour_api_key";
const CREDENTIAL: &str = "sixtyfour_credential";

/// A key that words make certain.
const fn sure(
    name: &'static str,
    text: &'static str,
    chain: &'static [Encoder],
    file: (&'static str, &'static str),
) -> InContext {
    InContext { name, rule: KEY, level: Level::Error, confidence: Confidence::High, text, chain, file }
}

/// A key by its shape alone.
const fn unsure(
    name: &'static str,
    text: &'static str,
    chain: &'static [Encoder],
    file: (&'static str, &'static str),
) -> InContext {
    InContext { name, rule: KEY, level: Level::Warning, confidence: Confidence::Medium, text, chain, file }
}

/// A value that is bound to a name.
const fn bound(
    name: &'static str,
    text: &'static str,
    chain: &'static [Encoder],
    file: (&'static str, &'static str),
) -> InContext {
    InContext {
        name,
        rule: CREDENTIAL,
        level: Level::Warning,
        confidence: Confidence::Medium,
        text,
        chain,
        file,
    }
}

const SECRET: (&str, &str) =
    ("secret.yaml", "apiVersion: v1\nkind: Secret\ndata:\n  SIXTYFOUR_API_KEY: @@\n");
const OTHER_SECRET: (&str, &str) = ("secret.yaml", "apiVersion: v1\nkind: Secret\ndata:\n  TOKEN: @@\n");
const HAR: (&str, &str) = (
    "a.har",
    "{\"log\":{\"entries\":[{\"request\":{\"method\":\"POST\",\"postData\":{\"mimeType\":\"application/json\",\"text\":\"@@\"}}}]}}",
);
const HTML: (&str, &str) = ("index.html", "<!doctype html>\n<pre>@@</pre>\n");
const LOG: (&str, &str) = ("app.log", "10:00:00 INFO @@\n");
const DUMP: (&str, &str) = ("dump.txt", "x\n\n@@\n\ny\n");

const HEADERS: &str =
    "{\"url\":\"https://api.sixtyfour.ai/enrich-lead\",\"headers\":{\"x-api-key\":\"{key}\"}}";
const LIVE: &str = "SIXTYFOUR_API_KEY={base62:40}\n";

const IN_CONTEXT: &[InContext] = &[
    sure("a secret of Kubernetes", "{key}", &[Base64], SECRET),
    sure("a secret of Kubernetes with a line's end", "{key}\n", &[Base64], SECRET),
    unsure("another secret of Kubernetes", "{key}", &[Base64], OTHER_SECRET),
    sure("a whole file in a secret", "SIXTYFOUR_API_KEY={key}\nPORT=1\n", &[Base64], OTHER_SECRET),
    sure(
        "the same in lines",
        "PORT=1\nLOG=info\nNAME=somebody\nSIXTYFOUR_API_KEY={key}\n",
        &[Base64Lines(64, "\n", 4)],
        ("secret.yaml", "kind: Secret\ndata:\n  env: |\n    @@\n"),
    ),
    sure(
        "the name above lines",
        "{key}\n",
        &[Base64Lines(48, "\n", 4)],
        ("secret.yaml", "kind: Secret\ndata:\n  SIXTYFOUR_API_KEY: |\n    @@\n"),
    ),
    sure("the name enclosing", "{key}", &[Base64], ("values.yaml", "sixtyfour:\n  auth:\n    secret: @@\n")),
    sure("the file's name", "{key}", &[Base64], ("sixtyfour.txt", "x\n\n\n@@\n")),
    sure("base64 twice under a name", "{key}", &[Base64, Base64], SECRET),
    sure("hexadecimal under a name", "{key}", &[Hex], SECRET),
    sure(
        "bytes under a name",
        "{key}",
        &[HexBytes(", ", "0x")],
        ("main.c", "const char sixtyfour_api_key[] = { @@ };\n"),
    ),
    unsure("bytes", "{key}", &[HexBytes(", ", "0x")], ("main.c", "const char data[] = { @@ };\n")),
    sure("escapes under a name", "{key}", &[BackslashX], ("main.py", "SIXTYFOUR_API_KEY = '@@'\n")),
    unsure("escapes", "{key}", &[BackslashX], ("main.py", "TOKEN = '@@'\n")),
    sure("all in escapes", "SIXTYFOUR_API_KEY={key}", &[BackslashU], LOG),
    sure("a header, JSON in JSON", HEADERS, &[Json], HAR),
    sure("a header, JSON in JSON in JSON", HEADERS, &[Json, Json], HAR),
    sure("a header, JSON in JSON in JSON in JSON", HEADERS, &[Json, Json, Json], HAR),
    sure("a header, strictly", HEADERS, &[JsonStrict, Json], HAR),
    sure("a header in base64 of JSON", HEADERS, &[Base64, Json], HAR),
    sure("a header in named entities", HEADERS, &[EntityNamed], HTML),
    sure("a header in decimal entities", HEADERS, &[EntityDecimal], HTML),
    sure("a header in hexadecimal entities", HEADERS, &[EntityHex], HTML),
    sure("a query", "https://api.sixtyfour.ai/mcp?api_key={key}", &[Percent], LOG),
    sure("a query, all of it", "https://api.sixtyfour.ai/mcp?api_key={key}", &[PercentAll], LOG),
    sure("a query, twice", "https://api.sixtyfour.ai/mcp?api_key={key}", &[Percent, Percent], LOG),
    sure("a name in an encoding", "{key}", &[Base64], ("q.log", "GET /?SIXTYFOUR%5FAPI%5FKEY%3A%20@@\n")),
    unsure("another query", "https://example.org/?q={key}", &[Percent, Percent], LOG),
    sure(
        "mail",
        "Hello,\r\nexport SIXTYFOUR_API_KEY={key}\r\n",
        &[QuotedPrintable],
        ("a.eml", "Content-Transfer-Encoding: quoted-printable\r\n\r\n@@\r\n"),
    ),
    sure("UTF-16", "{key}", &[Utf16Le(true)], ("a.ini", "[sixtyfour]\r\nkey=@@\r\n")),
    sure(
        "base64 of UTF-16",
        "$env:SIXTYFOUR_API_KEY = '{key}'",
        &[Utf16Le(false), Base64],
        ("run.cmd", "powershell -enc @@\r\n"),
    ),
    sure("colours under a name", "{key}", &[Coloured(9, "\u{1b}[33m")], ("ci.log", "SIXTYFOUR_API_KEY=@@\n")),
    unsure("colours", "{key}", &[Coloured(9, "\u{1b}[33m")], ("ci.log", "TOKEN=@@\n")),
    bound("a credential in JSON", "{\"sixtyfour_api_key\":\"{base62:40}\"}", &[Json], HAR),
    bound(
        "a credential, JSON in JSON in JSON",
        "{\"sixtyfour_api_key\":\"{base62:40}\"}",
        &[Json, Json],
        HAR,
    ),
    bound(
        "a credential, JSON in JSON in JSON in JSON",
        "{\"sixtyfour_api_key\":\"{base62:40}\"}",
        &[Json, Json, Json],
        HAR,
    ),
    bound("a credential, strictly", "{\"sixtyfour_api_key\":\"{base62:40}\"}", &[JsonStrict, Json], HAR),
    bound("a credential in named entities", "{\"sixtyfour_api_key\": \"{base62:40}\"}", &[EntityNamed], HTML),
    bound(
        "a credential in decimal entities",
        "{\"sixtyfour_api_key\": \"{base62:40}\"}",
        &[EntityDecimal],
        HTML,
    ),
    bound("a credential in base64", LIVE, &[Base64], DUMP),
    bound("a credential in base64 of a secret", LIVE, &[Base64], OTHER_SECRET),
    bound(
        "a credential in lines",
        "PORT=1\nLOG=info\nNAME=somebody\nSIXTYFOUR_API_KEY={base62:40}\nX=1\n",
        &[Base64Lines(64, "\n", 0)],
        DUMP,
    ),
    bound("a credential in base64 twice", LIVE, &[Base64, Base64], DUMP),
    bound("a credential in hexadecimal", LIVE, &[Hex], DUMP),
    bound(
        "a credential in percent-encoding",
        "https://mcp.sixtyfour.ai/mcp?api_key={base62:40}",
        &[PercentAll],
        LOG,
    ),
    bound("a credential in a query", "https://mcp.sixtyfour.ai/mcp?api_key={base62:40}", &[Percent], LOG),
    bound(
        "a credential in mail",
        "Hello,\r\nexport SIXTYFOUR_API_KEY={base62:40}\r\n",
        &[QuotedPrintable],
        ("a.eml", "Content-Transfer-Encoding: quoted-printable\r\n\r\n@@\r\n"),
    ),
    bound(
        "a credential in UTF-16",
        "{base62:40}",
        &[Utf16Le(true)],
        ("a.ini", "[app]\r\nsixtyfour_api_key=@@\r\n"),
    ),
    bound(
        "a header of another shape",
        "{\"url\":\"https://api.sixtyfour.ai/x\",\"headers\":{\"x-api-key\":\"{base62:40}\"}}",
        &[Json],
        HAR,
    ),
    bound(
        "a header of another shape, in base64",
        "{\"url\":\"https://api.sixtyfour.ai/x\",\"headers\":{\"x-api-key\":\"{base62:40}\"}}",
        &[Base64],
        DUMP,
    ),
    bound(
        "a header of another shape, in entities",
        "{\"url\":\"https://api.sixtyfour.ai/x\",\"headers\":{\"x-api-key\":\"{base62:40}\"}}",
        &[EntityDecimal],
        HTML,
    ),
];

#[test]
fn context_counts_inside_and_around_encoded_text() {
    let mut wrong = Vec::new();
    for round in 0..5 {
        for (number, case) in IN_CONTEXT.iter().enumerate() {
            let InContext { name, rule, text, chain, file: (path, file), .. } = *case;
            let encoding = Encoding { name, text, chain, reading: None, files: &[] };
            let seed = 700_000 + 1000 * round + number as u64;
            let planted = plant(path.to_owned(), rule, &encoding, file, seed);
            let found = Keeper::default().read(1 << 16, path, &mut &planted.bytes[..]).findings;
            let is_right = |found: &Finding| {
                planted.is(&RULES, found) && (found.level, found.confidence) == (case.level, case.confidence)
            };
            if found.len() != 1 || !found.iter().all(is_right) {
                wrong.push(format!("{name}: {}", planted.instead(&found)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}

/// Lines that follow each other are read as one text, in which such keys stand right behind each other.
#[test]
fn finds_all_keys_that_are_encoded_one_per_line() {
    let chains: [(&[Encoder], &str); 4] = [
        (&[Base64], "base64"),
        (&[Hex], "hexadecimal"),
        (&[Base64, Base64], "base64, then base64"),
        (&[Hex, Base64], "base64, then hexadecimal"),
    ];
    for (chain, reading) in chains {
        for (count, end, indentation) in
            [1, 2, 3, 40].into_iter().flat_map(|count| [(count, "\n", ""), (count, "\r\n", "  ")])
        {
            let (mut text, mut places) = (format!("These are they:{end}"), Vec::new());
            for seed in 0..count {
                let (key, place) = template::expand_and_mark("{key}", seed);
                let secret = Written { bytes: key.into_bytes(), part: place[0].clone() };
                let line = chain.iter().fold(secret, |text, encoder| encoder.write(&text.bytes, text.part));
                text.push_str(indentation);
                places.push(text.len()..text.len() + line.bytes.len());
                text.push_str(str::from_utf8(&line.bytes).unwrap());
                text.push_str(end);
            }
            text.push_str("and no more\n");
            let found = Keeper::default().read(1 << 16, "a.txt", &mut text.as_bytes()).findings;
            let regions: Vec<Range<usize>> = found
                .iter()
                .map(|found| found.region.start.offset as usize..found.region.end.offset as usize)
                .collect();
            assert_eq!(regions, places, "{count} in {reading}, {end:?}");
            assert!(found.iter().all(|found| found.reading.as_deref() == Some(reading)), "{reading}");
        }
    }
}

/// Where a line's end cuts a longer word, what is left of it on the line is no key.
#[test]
fn longer_word_cut_by_line_ends_is_no_key() {
    for before in 0..80 {
        for lines in [Base64Lines(76, "\n", 0), Base64Lines(64, "\r\n", 2), HexLines(64, "\n", 0)] {
            let (word, _) = template::expand_and_mark("my_{key}", before);
            let text = format!("{}{word} and some more words behind it", " ".repeat(before as usize));
            let written = lines.write(text.as_bytes(), 0..1);
            let found = Keeper::default().read(1 << 16, "a.txt", &mut &written.bytes[..]).findings;
            assert!(found.is_empty(), "behind {before} in {lines:?}");
        }
    }
}

/// Of a certificate, say, or of a database: what stands around the key is no text, and lines' ends cut what is encoded.
#[test]
fn finds_key_in_encoded_binary_at_any_place_in_a_line() {
    let chains: [(&[Encoder], &str); 4] = [
        (&[], "base64"),
        (&[Base64], "base64, then base64"),
        (&[Utf16Le(false)], "base64, then UTF-16"),
        (&[Hex], "base64, then hexadecimal"),
    ];
    let mut random = Random::new(1);
    let mut noise =
        |length: usize| -> Vec<u8> { random.bytes(length).into_iter().map(|byte| byte | 0x80).collect() };
    let mut wrong = Vec::new();
    for (number, (chain, reading)) in chains.into_iter().enumerate() {
        for before in 0..120 {
            let lines = [
                (Base64Lines(76, "\n", 0), "base64"),
                (Base64Lines(64, "\r\n", 2), "base64"),
                (Base64Lines(76, "\n", 16), "base64"),
                (HexLines(64, "\n", 0), "hexadecimal"),
            ];
            for (last, name) in lines {
                let (key, places) = template::expand_and_mark("{key}", 1000 * number as u64 + before);
                let secret = Written { bytes: key.into_bytes(), part: places[0].clone() };
                let Written { bytes, part } =
                    chain.iter().fold(secret, |text, encoder| encoder.write(&text.bytes, text.part));
                // Where little follows a place, all of it is looked at anyway.
                let tail = if before % 4 == 0 { before as usize % 5 } else { 5000 };
                let (head, tail) = (noise(before as usize), noise(tail));
                let part = head.len() + part.start..head.len() + part.end;
                let Written { bytes, part } = last.write(&[head, bytes, tail].concat(), part);
                let found = Keeper::default().read(1 << 16, "a.txt", &mut &bytes[..]).findings;
                let is_right = |found: &Finding| {
                    let region = found.region.start.offset as usize..found.region.end.offset as usize;
                    region == part && found.reading == Some(reading.replacen("base64", name, 1))
                };
                if found.len() != 1 || !found.iter().all(is_right) {
                    wrong.push(format!("{before} in {last:?} of {chain:?}: {found:?}, not {part:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong[..wrong.len().min(5)].join("\n"));
}

/// A rule of somebody else, for keys of a vendor that does not exist.
fn zebra(prefix: &str, length: usize) -> String {
    format!(
        r#"
id = "zebra"
name = "Zebra key"
description = "A key of Zebra."
advice = "Revoke it."
help = "Revoke it."
level = "error"
confidence = "high"
anchors = ["{prefix}"]
patterns = ['(?P<secret>{prefix}[A-Za-z0-9]{{{length}}})']

[[matches]]
text = "k = {prefix}{{-}}{{base62:{length}}}"
[[misses]]
text = "k = {prefix}{{-}}{{base62:{shorter}}}"
"#,
        shorter = length - 1
    )
}

fn with(rule: &str) -> RuleSet {
    let mut rules = RuleSet::builtin().expect("rules");
    rules.push(parse("zebra.toml", rule, &[], false).unwrap_or_else(|mistake| panic!("{mistake:?}")));
    RuleSet::new(rules).expect("a set")
}

/// Every encoding of a secret of another rule in every kind of file. A colour code that cuts an anchor is not read.
fn all_of(rule: &'static str, prefix: &str, body: &str) -> Vec<Planted> {
    let mut planted = Vec::new();
    for (number, encoding) in ENCODINGS.iter().enumerate() {
        let cuts_anchor =
            |encoder: &Encoder| matches!(encoder, Coloured(length, _) if *length < prefix.len());
        if encoding.chain.iter().any(cuts_anchor) {
            continue;
        }
        for (at, (name, file)) in encoding.files.iter().enumerate() {
            let secret = prefix.to_owned() + &template::expand(body, 100 * number as u64 + at as u64);
            let start = encoding.text.find("{key}").expect("a place");
            let text = encoding.text.replacen("{key}", &secret, 1);
            let part = start..start + secret.len();
            let mut one = write(format!("{number}/{at}/{name}"), rule, encoding, file, text, part);
            // Without context pieces are less sure than a mail that is read as one.
            if rule == "sixtyfour_webhook_secret" && matches!(encoding.chain, [QuotedPrintableMail]) {
                one.reading = Some("quoted-printable");
            }
            planted.push(one);
        }
    }
    planted
}

#[test]
fn finds_webhook_secret_in_every_encoding() {
    check(&RULES, &all_of("sixtyfour_webhook_secret", "sk_whsec_", "{hex:64}"));
}

/// A rule that somebody adds is met in every encoding, without a word of it in the rule.
#[test]
fn user_rule_matches_in_every_encoding() {
    for (prefix, length) in [("zebra_live_", 34), ("zbr_", 36), ("ZEBRA:", 40), ("zb.long_", 32)] {
        let rules = with(&zebra(prefix, length));
        check(&rules, &all_of("zebra", prefix, &format!("{{base62:{length}}}")));
    }
}
