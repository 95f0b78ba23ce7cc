import Foundation

/// A folder of a test's own, removed with all that is in it when the value goes.
package final class TemporaryFolder {
  package let path: String

  package init() {
    path = FileManager.default.temporaryDirectory.appendingPathComponent("rrcm-test-\(UUID().uuidString)").path
    try! FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  /// The path of `name` in the folder. Folders above it are made.
  package func file(_ name: String) -> String {
    let url = URL(fileURLWithPath: path).appendingPathComponent(name)
    try! FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    return url.path
  }

  /// Writes `bytes` under `name` and returns the path.
  @discardableResult
  package func write(_ bytes: [UInt8], _ name: String) -> String {
    let path = file(name)
    try! Data(bytes).write(to: URL(fileURLWithPath: path))
    return path
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}
