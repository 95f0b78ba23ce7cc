internal import Foundation

/// Reading sweep files: the file, the run files it names, then `--set`.
package enum SweepFile {
  /// Reads a sweep file.
  ///
  /// - Parameter overrides: `PATH=VALUE` texts of `--set`, the value in YAML.
  /// - Throws: `RunFileError` naming file and fields.
  package static func read(path: String, overrides: [String] = []) throws -> SweepSpec {
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent()
    do {
      return try parse(try text(path), overrides: overrides) {
        try text(URL(fileURLWithPath: $0, relativeTo: folder).path)
      }
    } catch let error as RunFileError { throw RunFileError(error.problems.map { "\(path): \($0)" }) }
  }

  /// Reads a sweep file's text.
  ///
  /// - Parameter load: gives the text of a run file that `finetune` or `certify` names.
  package static func parse(
    _ text: String, overrides: [String] = [], load: (String) throws -> String
  ) throws -> SweepSpec {
    var settings: SettingValue
    do { settings = try SettingValue(yaml: text) } catch { throw RunFileError(["not valid YAML: \(error)"]) }
    var problems: [String] = []
    for step in [TrialStep.finetune, .certify] {
      guard case .string(let file)? = settings[step.rawValue] else { continue }
      do { settings.set([step.rawValue], to: try SettingValue(yaml: load(file))) } catch {
        settings.set([step.rawValue], to: .map([:]))
        let reason = (error as? RunFileError)?.description ?? "not valid YAML: \(error)"
        problems.append("\(step.rawValue) is \"\(file)\"; \(reason)")
      }
    }
    for override in overrides {
      guard let equals = override.firstIndex(of: "="), equals != override.startIndex else {
        problems.append("--set \(override) has no \"=\"; write it as run_cap=4")
        continue
      }
      let path = override[..<equals].split(separator: ".", omittingEmptySubsequences: false).map(String.init)
      do { settings.set(path, to: try SettingValue(yaml: String(override[override.index(after: equals)...]))) } catch {
        problems.append("--set \(override) does not have a YAML value: \(error)")
      }
    }
    // What a broken run file lacks would only repeat that it is broken.
    guard problems.isEmpty else { throw RunFileError(problems) }
    return try SweepSpec(settings: settings, freshSeed: { Int64.random(in: 0...Int64(UInt32.max)) })
  }

  private static func text(_ path: String) throws -> String {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw RunFileError(["\(path) cannot be read; check the path and its permissions"])
    }
    guard let text = String(data: data, encoding: .utf8) else {
      throw RunFileError(["\(path) is not UTF-8 text; a sweep file and its run files are YAML"])
    }
    return text
  }
}

extension SweepSpec {
  /// Reads a stored sweep file.
  package init(stored json: String) throws {
    self = try SweepFile.parse(json) { throw RunFileError(["\($0): a stored sweep names no files"]) }
  }
}
