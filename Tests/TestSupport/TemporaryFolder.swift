import Foundation

/// A folder of a test's own, removed with all that is in it when the value goes, or by the next run when this one is
/// killed.
package final class TemporaryFolder {
  package let path: String

  package init() {
    path = try! Self.make()
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

  private static let stem = "rrcm-test-"

  /// Makes an empty folder with mode 0755 and a short path.
  package static func make(_ label: String = "files") throws -> String {
    let ticks = startTicks(getpid()) ?? 0
    let path = "/tmp/\(stem)\(getpid())-\(ticks)-\(label)-\(UUID().uuidString.prefix(8).lowercased())"
    try FileManager.default.createDirectory(
      atPath: path, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o755])
    return path
  }

  package static func remove(_ path: String) { try? FileManager.default.removeItem(atPath: path) }

  /// Folders of ours whose process is gone.
  static func abandoned() -> [String] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/tmp")) ?? []
    return names.filter { name in
      let words = name.split(separator: "-")
      guard name.hasPrefix(stem), words.count >= 4, let pid = Int32(words[2]), let ticks = UInt64(words[3]) else {
        return false
      }
      return startTicks(pid) != ticks
    }.map { "/tmp/\($0)" }
  }

  /// When a process started, in clock ticks since boot; nil when there is none.
  private static func startTicks(_ pid: Int32) -> UInt64? {
    guard
      let text = FileManager.default.contents(atPath: "/proc/\(pid)/stat").map({ String(decoding: $0, as: UTF8.self) }),
      let close = text.lastIndex(of: ")")
    else { return nil }
    let fields = text[close...].split(separator: " ")
    return fields.count > 20 ? UInt64(fields[20]) : nil
  }
}

/// Runs `body` with the path of an empty folder, which is removed afterwards.
package func withTemporaryFolder<T>(_ body: (String) async throws -> T) async throws -> T {
  let path = try TemporaryFolder.make()
  defer { TemporaryFolder.remove(path) }
  return try await body(path)
}
