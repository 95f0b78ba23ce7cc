import Foundation

/// The reference data that tests compare with, when this machine has it: `RRCM_SHARED`, else `../shared` beside the
/// package.
///
/// ```swift
/// @Test("…", .enabled(if: SharedFolder.has("golden"), "\(SharedFolder.skipReason("golden"))"))
/// ```
package enum SharedFolder {
  /// Its path; nil when there is none.
  package static let path: String? = {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let named = ProcessInfo.processInfo.environment["RRCM_SHARED"]
    let path = named ?? root.deletingLastPathComponent().appendingPathComponent("shared").path
    return FileManager.default.fileExists(atPath: path) ? path : nil
  }()

  /// The path of something in it; nil when it is not there.
  package static func file(_ name: String) -> String? {
    path.map { "\($0)/\(name)" }.flatMap { FileManager.default.fileExists(atPath: $0) ? $0 : nil }
  }

  package static func has(_ name: String) -> Bool { file(name) != nil }

  /// What a skipped test prints.
  package static func skipReason(_ name: String) -> String {
    "skipped: no reference data '\(name)'; set RRCM_SHARED to its folder"
  }
}

/// ``SharedFolder/path`` as a function.
package func sharedFolder() -> String? { SharedFolder.path }
