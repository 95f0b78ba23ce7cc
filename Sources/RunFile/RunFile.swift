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
    var layers: [(source: String, path: Substring, value: Substring)] = []
    var problems: [String] = []
    for (name, value) in environment.sorted(by: { $0.key < $1.key }) where name.hasPrefix(environmentPrefix) {
      let path = name.dropFirst(environmentPrefix.count).lowercased().replacing("__", with: ".")
      layers.append((name, path[...], value[...]))
    }
    for override in overrides {
      guard let equals = override.firstIndex(of: "="), equals != override.startIndex else {
        problems.append("--set \(override) has no \"=\"; write it as smoothing.n=1000")
        continue
      }
      layers.append(("--set \(override)", override[..<equals], override[override.index(after: equals)...]))
    }
    for layer in layers {
      let path = layer.path.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
      do { settings.set(path, to: try SettingValue(yaml: String(layer.value))) } catch {
        problems.append("\(layer.source) does not have a YAML value: \(error)")
      }
    }
    guard problems.isEmpty else { throw RunFileError(problems) }
    return try RunSpec(settings: settings, freshSeed: { Int64.random(in: 0...Int64(UInt32.max)) })
  }
}
