internal import Foundation

/// Results go to standard output, talk to standard error.
enum Console {
  /// Ends the program with status 74 when the output cannot take it, for example a full disk.
  static func out(_ text: String) {
    do { try FileHandle.standardOutput.write(contentsOf: Data(text.utf8)) } catch {
      say(
        "rrcm: the output could not be written: \(error.localizedDescription) Free space there, or write to another place"
      )
      exit(ExitStatus.outputFailed.rawValue)
    }
  }

  static func say(_ text: String) { write(text + "\n") }

  /// Talk as it stands, without a line end.
  static func write(_ text: String) { try? FileHandle.standardError.write(contentsOf: Data(text.utf8)) }

  /// A second of the clock as logs show it: `2026-03-01T12:00:00Z`.
  static func stamp(_ date: Date = .now) -> String { date.formatted(.iso8601) }

  /// Asks before many things are touched; a person at a terminal decides, `--yes` answers beforehand.
  ///
  /// - Parameter question: what will happen, with counts, without a question mark.
  /// - Throws: `InputProblems` when nobody is there to answer; `CommandFailure` when the answer is no.
  static func confirm(_ question: String, yes: Bool) throws {
    if yes { return }
    guard isatty(STDIN_FILENO) == 1, isatty(STDERR_FILENO) == 1 else {
      throw InputProblems(["\(question): nobody is here to be asked; add --yes to do it, or --dry-run to look first"])
    }
    write("\(question)? [y/N] ")
    guard let answer = readLine(), ["y", "yes"].contains(answer.lowercased()) else {
      throw CommandFailure("nothing was done")
    }
  }
}

/// What standard error can show.
struct Terminal: Sendable {
  /// A person watches, and the line can be drawn again: not a file, a pipe or `TERM=dumb`.
  let redraws: Bool
  /// Columns; 80 where nobody knows.
  let width: Int
  /// Colours are welcome: a terminal without `NO_COLOR` (no-color.org).
  let hasColor: Bool

  init(redraws: Bool, width: Int, hasColor: Bool) {
    self.redraws = redraws
    self.width = width
    self.hasColor = hasColor
  }

  /// The terminal behind a file descriptor, as it is now.
  init(_ descriptor: Int32 = STDERR_FILENO, environment: [String: String] = ProcessInfo.processInfo.environment) {
    let isSmart = environment["TERM"].map { !$0.isEmpty && $0 != "dumb" } ?? false
    redraws = isatty(descriptor) == 1 && isSmart
    hasColor = redraws && (environment["NO_COLOR"] ?? "").isEmpty
    var size = winsize()
    let isKnown = ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
    width = isKnown ? Int(size.ws_col) : environment["COLUMNS"].flatMap { Int($0) }.flatMap { $0 > 0 ? $0 : nil } ?? 80
  }
}
