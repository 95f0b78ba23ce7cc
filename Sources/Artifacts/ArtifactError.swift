/// What went wrong with a stored file, or on its way here or there.
package struct ArtifactError: Error, Sendable, Equatable, CustomStringConvertible {
  package enum Code: String, Sendable {
    /// No file of that digest is here or there; it may be elsewhere.
    case notFound = "artifact_not_found"
    /// The file has other content than its digest or its size says.
    case corrupt = "artifact_corrupt"
    /// There is no room for it; the same request may succeed later.
    case diskFull = "artifact_disk_full"
    /// The operating system refused for another reason.
    case inaccessible = "artifact_inaccessible"
    /// The server wants a token, or another one.
    case unauthorized = "artifact_unauthorized"
    /// The server refused the request itself; asking again would not help.
    case refused = "artifact_refused"
    /// The server could not be reached or kept failing; the same request may succeed later.
    case unreachable = "artifact_unreachable"
    /// The caller asked to stop; what has arrived is kept.
    case stopped = "artifact_stopped"
    /// An address, a digest or a setting cannot be right.
    case badRequest = "artifact_bad_request"
  }

  package let code: Code
  package let message: String

  package init(code: Code, message: String) {
    self.code = code
    self.message = message
  }

  package var description: String { "\(code.rawValue): \(message)" }

  /// Whether the same request may succeed later without anybody's help.
  package var mayPass: Bool { [.diskFull, .unreachable, .stopped].contains(code) }
}
