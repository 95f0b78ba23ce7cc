import Foundation
package import Testing

/// Reference numbers and real images that lie beside the repository and are not part of it.
///
/// Found under `RRCM_SHARED` if that is set, else under `../shared` from the package root. Tests that need them are
/// declared with `.enabled(if: ReferenceData.has(...), ReferenceData.absent)`.
package enum ReferenceData {
  /// The folder; it may not exist.
  package static let root: String = {
    if let given = ProcessInfo.processInfo.environment["RRCM_SHARED"] { return given }
    let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../..")
    return package.appendingPathComponent("../shared").standardizedFileURL.path
  }()

  package static let absent: Comment = "skipped: reference data are not beside the repository (RRCM_SHARED)"

  /// The path of a file under the folder, for example `golden/model_a.safetensors`.
  package static func path(_ name: String) -> String { root + "/" + name }

  /// Whether all of these files are there.
  package static func has(_ names: String...) -> Bool {
    names.allSatisfy { FileManager.default.isReadableFile(atPath: path($0)) }
  }
}
