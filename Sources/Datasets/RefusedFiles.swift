package import Tensors

/// The files of an image set that cannot be used, all of them; nothing was imported.
package struct RefusedFiles: Error, Sendable, Equatable, CustomStringConvertible {
  /// The archive or directory.
  package let path: String
  package let refusals: [FormatError]
  /// Files that were looked at.
  package let count: Int

  package init(path: String, refusals: [FormatError], count: Int) {
    self.path = path
    self.refusals = refusals
    self.count = count
  }

  /// A line that counts, then a line for each file.
  package var description: String {
    let lines = refusals.map { "  \($0)" }
    return (["\(path): \(refusals.count) of \(count) files cannot be used; nothing was imported"] + lines)
      .joined(separator: "\n")
  }
}
