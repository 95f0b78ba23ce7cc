internal import Foundation

/// Reading run files: built-in defaults, then the file, then the environment, then `--set`.
package enum RunFile {
  /// Variables `RRCM_RUN_SMOOTHING__N=1000` stand for `smoothing.n: 1000`; two underscores separate levels.
  package static let environmentPrefix = "RRCM_RUN_"

  /// Reads a run file.
  ///
  /// - Parameters:
  ///   - overrides: `PATH=VALUE` texts of `--set`, the value in YAML.
  ///   - environment: the process's environment.
  /// - Throws: `RunFileError` naming file and fields.
  package static func read(
    path: String, overrides: [String] = [], environment: [String: String] = ProcessInfo.processInfo.environment
  ) throws -> RunSpec {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw RunFileError(["\(path) cannot be read; check the path and its permissions"])
    }
    guard let text = String(data: data, encoding: .utf8) else {
      throw RunFileError(["\(path) is not UTF-8 text; a run file is YAML"])
    }
    do { return try parse(text, overrides: overrides, environment: environment) } catch let error as RunFileError {
      throw RunFileError(error.problems.map { "\(path): \($0)" })
    }
  }

  /// Reads a run file's text.
  package static func parse(
    _ text: String, overrides: [String] = [], environment: [String: String] = [:]
  ) throws -> RunSpec {
    var settings: SettingValue
    do { settings = try SettingValue(yaml: text) } catch {
      throw RunFileError(["not valid YAML: \(error)"])
    }
    let fromEnvironment = environment.filter { $0.key.hasPrefix(environmentPrefix) }.sorted { $0.key < $1.key }.map {
      let path = $0.key.dropFirst(environmentPrefix.count).lowercased().components(separatedBy: "__")
      return path.joined(separator: ".") + "=" + $0.value
    }
    for override in fromEnvironment + overrides {
      guard let equals = override.firstIndex(of: "="), equals != override.startIndex else {
        throw RunFileError(["--set \(override) has no \"=\"; write it as smoothing.n=1000"])
      }
      let path = override[..<equals].split(separator: ".", omittingEmptySubsequences: false).map(String.init)
      let value = String(override[override.index(after: equals)...])
      do { settings.set(path, to: try SettingValue(yaml: value)) } catch {
        throw RunFileError(["--set \(override) does not have a YAML value: \(error)"])
      }
    }
    return try RunSpec(settings: settings, freshSeed: { Int64.random(in: 0...Int64(UInt32.max)) })
  }
}
