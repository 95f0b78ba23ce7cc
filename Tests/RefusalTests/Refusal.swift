/// One thing that people or machines get wrong, and what the program answers.
struct Refusal: Sendable {
  /// What is wrong, for the test's messages.
  let what: String
  /// Words of the command. `$F` stands for the case's own folder, `$URL` for the database.
  let arguments: [String]
  /// Files in that folder.
  let files: [String: [UInt8]]
  /// Variables over the usual ones; the same words are replaced.
  let environment: [String: String]
  /// SQL run before, and undone by the second.
  let before: String?
  let after: String?
  /// Run through `bash -c`, for limits and redirections; the command stands as "$@".
  let shell: String?
  let status: Int32
  /// Field, value and remedy: each must be in what the program says.
  let says: [String]

  init(
    _ what: String, _ arguments: [String], files: [String: [UInt8]] = [:], environment: [String: String] = [:],
    before: String? = nil, after: String? = nil, shell: String? = nil, status: Int32 = 64, says: String...
  ) {
    self.what = what
    self.arguments = arguments
    self.files = files
    self.environment = environment
    self.before = before
    self.after = after
    self.shell = shell
    self.status = status
    self.says = says
  }

  /// Every case. Each goes through the real program, with the stored rows compared before and after.
  static let all: [(family: String, cases: [Refusal])] = [
    ("checkpoint folders", checkpointFolders), ("PyTorch files", torchFiles), ("images", images),
    ("archives", archives), ("CIFAR-10 and digits", imageFiles), ("run files", runFiles), ("settings", settings),
    ("names", names), ("tables of counts", tables), ("command lines", commandLines), ("addresses", addresses),
    ("the database", database), ("output", output),
  ]
}

func utf8(_ text: String) -> [UInt8] { Array(text.utf8) }
