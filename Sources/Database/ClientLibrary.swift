internal import CLibPQ

/// PostgreSQL's client library that this program is linked with.
package enum ClientLibrary {
  /// For example `15.18`.
  package static var version: String {
    let number = PQlibVersion()
    return "\(number / 10_000).\(number % 10_000)"
  }
}
