import TestSupport

extension Refusal {
  private static func table(_ what: String, _ text: [UInt8], _ says: String...) -> Refusal {
    Refusal(what, ["radius", "--input", "$F/t.csv"], files: ["t.csv": text], list: says)
  }

  private init(_ what: String, _ arguments: [String], files: [String: [UInt8]], list: [String]) {
    self.what = what
    self.arguments = arguments
    self.files = files
    environment = [:]
    (before, after, shell) = (nil, nil, nil)
    status = 64
    says = list
  }

  private static let header = "hits,draws,sigma,alpha\n"

  static let tables: [Refusal] = [
    table("an empty table", [], "line 1", "the table is empty", "hits,draws,sigma,alpha"),
    table("a missing column", utf8("hits,draws,sigma\n1,2,1\n"), "column alpha: missing", "must name the columns"),
    table(
      "a column twice", utf8("hits,hits,draws,sigma,alpha\n1,1,2,1,0.1\n"), "column hits: named 2 times", "keep one"),
    table("a row too short", utf8(header + "1,2\n"), "line 2: 2 fields where the header has 4", "quote fields"),
    table("hits above draws", utf8(header + "5,2,1,0.001\n"), "line 2, column hits: \"5\"", "0 to the row's draws, 2"),
    table(
      "everything wrong at once", utf8(header + "x,0,-1,7\n"), "column hits", "column draws: \"0\"",
      "column sigma: \"-1\"", "column alpha"),
    table(
      "a quote that never closes", utf8(header + "\"1,2,1,0.001\n"), "line 2", "never closed", "add the closing quote"),
    table("bytes that are not text", [0x68, 0xFF, 0xFE], "is not UTF-8 text", "the table is CSV"),
    table("alpha of one", utf8(header + "1,2,1,1\n"), "line 2, column alpha", "0.5"),
    Refusal(
      "a table that is missing", ["radius", "--input", "$F/none.csv"], says: "none.csv cannot be read", "check the path"
    ),
    Refusal(
      "a question with everything wrong",
      ["radius", "--hits", "11", "--draws", "10", "--sigma", "nan", "--alpha", "0.6"], says: "--hits is 11",
      "--sigma is nan", "--alpha is 0.6", "at most 0.5"),
  ]

  static let commandLines: [Refusal] = [
    Refusal("an unknown verb", ["fly"], says: "fly", "rrcm --help"),
    Refusal("an unknown option", ["run", "list", "--colour"], says: "--colour", "rrcm run list --help"),
    Refusal("a missing argument", ["run", "submit"], says: "<files>", "rrcm run submit --help"),
    Refusal("an unknown output", ["run", "list", "--output", "xml"], says: "xml", "'table', 'json', 'csv' or 'tsv'"),
    Refusal(
      "an image set without a size", ["dataset", "import", "imagefolder", "$F"], says: "--size is missing", "--size 32"),
    Refusal(
      "a size that is a word", ["dataset", "import", "imagefolder", "$F", "--size", "big"], says: "big", "--size"),
    Refusal("a model that nobody published", ["checkpoint", "init", "rrcm-xl"], says: "rrcm-xl", "rrcm-s-imagenet"),
    Refusal(
      "one class", ["checkpoint", "init", "rrcm-b-cifar10", "--classes", "1"], says: "--classes is 1", "2 to 32767"),
    Refusal("no thread", ["worker", "start", "--threads", "0"], says: "--threads is 0", "1 to 1024"),
    Refusal("an unknown kind of work", ["worker", "start", "--kinds", "paint"], says: "--kinds is paint", "some of"),
    Refusal(
      "beats slower than death", ["coordinator", "start", "--beat-seconds", "20", "--dead-seconds", "21"], says: "20",
      "at least twice"),
    Refusal(
      "a metrics address that is none", ["aggregator", "start", "--metrics", "here"],
      says: "the metrics address is here", "HOST:PORT"),
  ]

  static let addresses: [Refusal] = [
    Refusal(
      "an image set from a file URL", ["dataset", "fetch", "cifar10", "--url", "file:///etc/passwd"], says: "--url",
      "file:///etc/passwd", "https:// or http://"),
    Refusal(
      "an address without a host", ["dataset", "fetch", "cifar10", "--url", "http://"], says: "--url", "name a host"),
    Refusal(
      "a digest that is none", ["dataset", "fetch", "cifar10", "--url", "http://x/y", "--sha256", "abc"],
      says: "--sha256 is abc", "64 hexadecimal digits"),
    Refusal(
      "a digest without an address", ["dataset", "fetch", "cifar10", "--sha256", String(repeating: "a", count: 64)],
      says: "--url", "give both or neither"),
    Refusal(
      "a database URL with an unknown option", ["run", "list"],
      environment: ["RRCM_DATABASE_URL": "postgresql://h/d?nonsense=1"],
      says: "the database URL names an option that libpq does not know", "Write postgresql://"),
    Refusal(
      "a database URL with a port that is a word", ["run", "list"],
      environment: ["RRCM_DATABASE_URL": "postgresql://h:port/d"], status: 69, says: "connection option \"port\"",
      "are right"),
    Refusal(
      "a database URL of another kind", ["run", "list"], environment: ["RRCM_DATABASE_URL": "mysql://h/d"],
      says: "database URL", "postgresql://"),
  ]

  static let database: [Refusal] = [
    Refusal(
      "a database that is down", ["run", "list"], environment: ["RRCM_DATABASE_URL": "postgresql://127.0.0.1:1/x"],
      status: 69, says: "connection_failed", "127.0.0.1", "check that the server runs"),
    Refusal(
      "no database named", ["run", "list"], environment: ["RRCM_DATABASE_URL": ""], status: 69,
      says: "RRCM_DATABASE_URL is not set", "rrcm up"),
    Refusal(
      "a database that does not exist", ["run", "list"],
      environment: ["RRCM_DATABASE_URL": "$URL dbname=nowhere_at_all"], status: 69, says: "nowhere_at_all",
      "Create the database or correct its name"),
    Refusal(
      "a database that takes no writes", ["run", "submit", "$F/r.yaml"],
      files: [
        "r.yaml": utf8(
          "kind: certify\nname: probe\ncheckpoint: net\ndataset: {name: digits}\nsmoothing: {sigma: [0.25], n0: 10, n: 100}\n"
        )
      ],
      environment: ["RRCM_DATABASE_URL": "$URL options='-c default_transaction_read_only=on'"], status: 1,
      says: "25006", "read-only", "default_transaction_read_only"),
    Refusal(
      "a role without rights", ["run", "list"],
      environment: ["RRCM_DATABASE_URL": "$URL options='-c role=rrcm_test_nobody'"],
      before: "CREATE ROLE rrcm_test_nobody", after: "DROP ROLE rrcm_test_nobody", status: 1, says: "42501",
      "grant it or connect as another role"),
    Refusal(
      "a schema from a newer program", ["run", "list"],
      before: "INSERT INTO rrcm.schema_migration (version, name, checksum) VALUES (9999, 'future', 'x')",
      after: "DELETE FROM rrcm.schema_migration WHERE version = 9999", status: 1,
      says: "the database has migration 9999 (future), this program knows", "newer"),
    Refusal(
      "a schema from an older program", ["run", "list"],
      before:
        "CREATE TABLE public.kept AS SELECT * FROM rrcm.schema_migration WHERE version = (SELECT max(version) FROM rrcm.schema_migration); DELETE FROM rrcm.schema_migration WHERE version = (SELECT max(version) FROM rrcm.schema_migration)",
      after: "INSERT INTO rrcm.schema_migration SELECT * FROM public.kept; DROP TABLE public.kept", status: 1,
      says: "1 migration(s) are not applied yet", "rrcm migrate up"),
    Refusal(
      "a schema that somebody changed", ["run", "list"],
      before: "UPDATE rrcm.schema_migration SET checksum = reverse(checksum) WHERE version = 1",
      after: "UPDATE rrcm.schema_migration SET checksum = reverse(checksum) WHERE version = 1", status: 1,
      says: "migration 1", "was applied from another text", "Use the rrcm that applied it"),
  ]

  /// A limit on file sizes stands for a full disk: the program sees the same refusal of a write.
  private static let noRoom = "trap '' XFSZ; ulimit -f 8; exec \"$@\""

  static let output: [Refusal] = [
    Refusal(
      "a full disk under the answer", ["run", "list", "--output", "json"], shell: "exec \"$@\" > /dev/full", status: 74,
      says: "the output could not be written", "enough space", "Free space there"),
    Refusal(
      "a full disk under an export", ["export", "certificates", "done", "--output", "csv"],
      shell: "exec \"$@\" > /dev/full", status: 74, says: "the output could not be written", "enough space",
      "Free space there"),
    Refusal(
      "a full disk under a page", ["report", "done", "--html", "$F/page.html"], shell: noRoom, status: 74,
      says: "page.html: file is cannot be written", "free space there"),
    Refusal(
      "a page in a folder that is not there", ["report", "done", "--html", "$F/none/page.html"], status: 74,
      says: "none/page.html: file is cannot be created", "create the folder first"),
    Refusal(
      "a full disk under an image set",
      ["dataset", "import", "imagefolder", "$F/set", "--size", "64", "--name", "big"],
      files: ["set/a/1.png": PNG.image(width: 2, height: 2)],
      shell: noRoom, status: 74, says: "cannot be written", "free space there"),
    Refusal(
      "a full disk under a checkpoint", ["checkpoint", "import", "$F/net", "--name", "again"],
      environment: ["RRCM_STORE": "$F/store"], shell: noRoom.replacing("-f 8", with: "-f 1"), status: 74,
      says: "cannot be written", "free space there"),
    Refusal(
      "a store that is a file", ["checkpoint", "import", "$F/net", "--name", "again"], files: ["store": [1]],
      environment: ["RRCM_STORE": "$F/store"], status: 74, says: "$F/store is not a directory",
      "another place for the store"),
    Refusal(
      "a store where nothing can be made", ["checkpoint", "import", "$F/net", "--name", "again"],
      environment: ["RRCM_STORE": "/proc/store"], status: 74, says: "/proc/store cannot be made",
      "a place this user may write to"),
  ]
}
