/// An http or https address.
package struct WebAddress: Sendable, Hashable, CustomStringConvertible {
  /// As curl takes it; may hold a password or a signature.
  package let text: String
  /// Without user, password, query and fragment: fit for logs and messages.
  package let description: String

  /// - Throws: `ArtifactError` `bad_request` for another scheme, no host, or characters that need escaping.
  package init(_ text: String) throws(ArtifactError) {
    let stripped = text.prefix { $0 != "?" && $0 != "#" }
    guard let scheme = ["http://", "https://"].first(where: { text.lowercased().hasPrefix($0) }) else {
      throw ArtifactError(
        code: .badRequest, message: "the address is \(stripped); it must begin with https:// or http://")
    }
    let rest = stripped.dropFirst(scheme.count)
    let authority = rest.prefix { $0 != "/" }
    let host = authority.split(separator: "@", omittingEmptySubsequences: false).last ?? ""
    description = scheme + host + rest.dropFirst(authority.count)
    guard !host.isEmpty, host.first != ":", text.utf8.allSatisfy({ $0 > 32 && $0 < 127 }) else {
      throw ArtifactError(
        code: .badRequest,
        message: "the address is \(description); it must name a host, and be ASCII without spaces (use %20)")
    }
    self.text = text
  }

  /// The address of something below this one.
  package func appending(_ name: String) throws(ArtifactError) -> WebAddress {
    try WebAddress(text.hasSuffix("/") ? text + name : text + "/" + name)
  }

  /// Whether `text` is meant as an address and not as a path.
  package static func isAddress(_ text: String) -> Bool {
    text.lowercased().hasPrefix("http://") || text.lowercased().hasPrefix("https://")
  }
}
