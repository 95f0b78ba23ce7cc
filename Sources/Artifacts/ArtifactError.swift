/// What went wrong with a stored file.
package struct ArtifactError: Error, Sendable, Equatable, CustomStringConvertible {
  package enum Code: String, Sendable {
    /// No file of that digest is here; it may be elsewhere.
    case notFound = "artifact_not_found"
    /// The file of that digest has other content.
    case corrupt = "artifact_corrupt"
    /// There is no room for it; the same request may succeed later.
    case diskFull = "artifact_disk_full"
    /// The operating system refused for another reason.
    case inaccessible = "artifact_inaccessible"
  }

  package let code: Code
  package let message: String

  package init(code: Code, message: String) {
    self.code = code
    self.message = message
  }

  package var description: String { "\(code.rawValue): \(message)" }
}
