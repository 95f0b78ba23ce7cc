internal import CLibPQ

#if canImport(Glibc)
  internal import Glibc
#endif

/// Where the database is: any libpq URL (`postgresql://user@host/name?sslmode=verify-full`) or keyword string
/// (`host=/run/rrcm dbname=rrcm`), checked when made.
///
/// What is left out comes from libpq's own places: PGHOST, PGPASSWORD, a pgpass file, a service file. A statement timeout
/// goes into the URL: `?options=-c%20statement_timeout%3D30s`. The description never shows a password.
package struct DatabaseURL: Sendable, Hashable {
  /// The environment variable that names the database for every program of the fleet.
  package static let environmentVariable = "RRCM_DATABASE_URL"

  /// The given options by libpq keyword, in libpq's order; nothing that was left out.
  let options: [Option]

  struct Option: Sendable, Hashable {
    var keyword: String
    var value: String
  }

  /// Reads a URL or keyword string.
  ///
  /// - Throws: ``DatabaseError`` with code `bad_url`. The message quotes no part of the text, which may hold a password.
  package init(_ text: String) throws {
    var failure: UnsafeMutablePointer<CChar>?
    if text.utf8.contains(0) { throw DatabaseURL.refusal("holds the character U+0000") }
    guard let parsed = PQconninfoParse(text, &failure) else {
      let reason = failure.map { String(cString: $0) } ?? ""
      PQfreemem(failure)
      throw DatabaseURL.refusal(DatabaseURL.explain(reason))
    }
    defer { PQconninfoFree(parsed) }
    var options: [Option] = []
    var entry = parsed
    while let keyword = entry.pointee.keyword {
      if let value = entry.pointee.val {
        options.append(Option(keyword: String(cString: keyword), value: String(cString: value)))
      }
      entry += 1
    }
    self.options = options
  }

  /// The URL that the environment variable `RRCM_DATABASE_URL` holds.
  ///
  /// - Returns: nil when the variable is unset or empty.
  /// - Throws: ``DatabaseError`` with code `bad_url` when it cannot be read.
  package static func fromEnvironment() throws -> DatabaseURL? {
    guard let pointer = getenv(environmentVariable) else { return nil }
    let text = String(cString: pointer)
    return text.isEmpty ? nil : try DatabaseURL(text)
  }

  /// The same server and user, another database.
  package func withDatabase(_ name: String) -> DatabaseURL {
    DatabaseURL(options: options.filter { $0.keyword != "dbname" } + [Option(keyword: "dbname", value: name)])
  }

  private init(options: [Option]) { self.options = options }

  /// A keyword string that opens the same connection. Holds the password if one was given: hand it to a child process
  /// through its environment only, and never log it.
  package var connectionString: String {
    options.map { option in
      let escaped = option.value.reduce(into: "") { text, character in
        if character == "'" || character == "\\" { text.append("\\") }
        text.append(character)
      }
      return "\(option.keyword)='\(escaped)'"
    }.joined(separator: " ")
  }

  subscript(_ keyword: String) -> String? { options.first { $0.keyword == keyword }?.value }

  /// `text` without the secrets of this URL.
  func redacting(_ text: String) -> String {
    var text = text
    for keyword in ["password", "sslpassword"] {
      if let secret = self[keyword], !secret.isEmpty {
        text = text.split(separator: secret, omittingEmptySubsequences: false).joined(separator: "[password]")
      }
    }
    return text
  }

  private static func refusal(_ reason: String) -> DatabaseError {
    DatabaseError(
      code: "bad_url",
      message: "the database URL \(reason). "
        + "Write postgresql://user@host:port/database or a keyword string such as 'host=/run/postgresql dbname=rrcm'",
      disposition: .permanent)
  }

  /// libpq's reason without the text it quotes, because that may be part of a password.
  private static func explain(_ reason: String) -> String {
    if reason.contains("invalid URI query parameter") || reason.contains("invalid connection option") {
      return "names an option that libpq does not know; a '?', '&' or blank inside a password must be percent-encoded"
    }
    if reason.contains("percent-encoded") { return "holds a '%' that is not followed by two hexadecimal digits" }
    if reason.contains("missing \"=\"") { return "is neither a postgresql:// URL nor a list of keyword=value pairs" }
    if reason.contains("IPv6") { return "holds a '[' without a matching ']' around an IPv6 address" }
    if reason.contains("unterminated quoted") { return "holds an opening quote without a closing one" }
    return "cannot be read; special characters in a user name or password must be percent-encoded"
  }
}

extension DatabaseURL: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  /// `postgresql://user@host:port/database`, as far as given; no password, no other options.
  package var description: String {
    let user = self["user"].map { "\($0)@" } ?? ""
    let port = self["port"].map { ":\($0)" } ?? ""
    return "postgresql://\(user)\(self["host"] ?? self["hostaddr"] ?? "")\(port)/\(self["dbname"] ?? "")"
  }
  package var debugDescription: String { description }
  package var customMirror: Mirror { Mirror(self, children: ["description": description]) }
}
