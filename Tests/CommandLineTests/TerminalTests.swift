import Database
import Foundation
import TestSupport
import Testing

@testable import CommandLine

@Suite("Terminals") struct TerminalTests {
  @Test("a file is no terminal, and has the width that the environment tells")
  func file() throws {
    let folder = TemporaryFolder()
    let handle = try #require(FileHandle(forWritingAtPath: folder.write([], "out")))
    let plain = Terminal(handle.fileDescriptor, environment: ["TERM": "xterm"])
    #expect(!plain.redraws && !plain.hasColor && plain.width == 80)
    #expect(Terminal(handle.fileDescriptor, environment: ["COLUMNS": "132"]).width == 132)
    #expect(Terminal(handle.fileDescriptor, environment: ["COLUMNS": "-3"]).width == 80)
  }

  @Test(
    "a terminal is redrawn and coloured unless TERM is dumb or missing; NO_COLOR takes the colour",
    arguments: [
      (["TERM": "xterm"], true, true), (["TERM": "xterm", "NO_COLOR": "1"], true, false),
      (["TERM": "xterm", "NO_COLOR": ""], true, true), (["TERM": "dumb"], false, false), ([:], false, false),
    ])
  func variables(environment: [String: String], redraws: Bool, hasColor: Bool) throws {
    var (leader, follower): (Int32, Int32) = (-1, -1)
    var size = winsize(ws_row: 24, ws_col: 97, ws_xpixel: 0, ws_ypixel: 0)
    try #require(openpty(&leader, &follower, nil, nil, &size) == 0)
    defer {
      close(leader)
      close(follower)
    }
    let terminal = Terminal(follower, environment: environment)
    #expect(terminal.redraws == redraws && terminal.hasColor == hasColor && terminal.width == 97)
  }

  @Test(
    "each shell gets a completion script; bash reads its own",
    arguments: [("bash", "complete -o"), ("zsh", "#compdef rrcm"), ("fish", "complete -c 'rrcm'")])
  func completions(shell: String, mark: String) async throws {
    let outcome = try await Program.run(["completions", shell])
    #expect(outcome.status == 0 && outcome.output.contains(mark), "\(outcome.output.prefix(300))")
    for verb in ["submit", "drain", "dry-run"] { #expect(outcome.output.contains(verb)) }
    guard shell == "bash" else { return }
    let folder = TemporaryFolder()
    let script = folder.write(Array(outcome.output.utf8), "rrcm.bash")
    let bash = Process()
    bash.executableURL = URL(fileURLWithPath: "/bin/bash")
    bash.arguments = ["-n", script]
    try bash.run()
    while bash.isRunning { try await Task.sleep(for: .milliseconds(10)) }
    #expect(bash.terminationStatus == 0)
  }

  @Test("completing a name asks the database for a second at most, and says nothing when it does not answer")
  func deadDatabase() async throws {
    // The call that the scripts make for the first argument of "rrcm run show".
    let call = ["---completion", "run", "show", "--", "positional@0", "2", "0", "rrcm", "run", "show", ""]
    try await withTestDatabase { database async throws in
      try await database.connection().script(
        """
        INSERT INTO rrcm.dataset (dataset_digest, name, channels, height, width, classes, image_count, source)
        VALUES (repeat('d', 64), 'tiny', 1, 1, 1, '{a}', 1, 'a test');
        INSERT INTO rrcm.run (kind, name, spec, seed, dataset_digest, software)
        VALUES ('pretrain', 'alpha', '{}', 1, repeat('d', 64), 't'), ('pretrain', 'beta', '{}', 1, repeat('d', 64), 't')
        """)
      let alive = try await Program.run(call, environment: ["RRCM_DATABASE_URL": database.url.connectionString])
      #expect(alive.output == "alpha\nbeta\n" && alive.errors.isEmpty, "\(alive)")
    }
    // An address that swallows packets (TEST-NET-1, RFC 5737), one that refuses, and none at all.
    for url in ["host=192.0.2.1 dbname=none connect_timeout=30", "host=127.0.0.1 port=1 dbname=none", "nonsense"] {
      let start = ContinuousClock.now
      let dead = try await Program.run(call, environment: ["RRCM_DATABASE_URL": url])
      #expect(dead.output.trimmingCharacters(in: .newlines).isEmpty && dead.errors.isEmpty, "\(url): \(dead)")
      #expect(start.duration(to: .now) < .seconds(10), "\(url)")
    }
  }
}
