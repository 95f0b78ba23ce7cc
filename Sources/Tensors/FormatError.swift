/// A file or a piece of outside data that cannot be used, in words a person can act on.
///
/// Readers in this project stop at the first thing that is wrong in a file, except where doc comments say that
/// everything is listed. Nothing that was read before the error is kept.
package struct FormatError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The file, or a name for bytes that came from elsewhere.
  package var file: String
  /// Which part of it, for example `header length` or `tensor "pos_embed" shape`.
  package var field: String
  /// What was found there, short enough for one line.
  package var value: String
  /// What was expected and what to do about it.
  package var remedy: String
  /// The operating system's error number, where it refused something.
  package var systemError: Int32?

  package init(file: String, field: String, value: String, remedy: String, systemError: Int32? = nil) {
    self.file = file
    self.field = field
    self.value = value
    self.remedy = remedy
    self.systemError = systemError
  }

  /// `FILE: FIELD is VALUE; REMEDY`.
  package var description: String { "\(file): \(field) is \(value); \(remedy)" }
}
