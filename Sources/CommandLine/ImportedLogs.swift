internal import Foundation
internal import Smoothing
internal import Store
internal import Tensors

/// Logs read from files and checked against what was stated of them, ready to be stored.
struct ImportedLogs {
  let log: CohenLog
  let record: NewImportedLog

  /// What a person stated of one file.
  private struct Stated {
    var sigma: ExactDecimal?
    var n: Int
    var alpha: ExactDecimal
  }

  /// One level per noise level; files of one level are parts of it.
  ///
  /// - Throws: `InputProblems` with everything that is wrong, file by file.
  static func read(files: [String], sigma: [String], n: [String], alpha: [String], name: String) throws -> [Self] {
    var problems: [String] = []
    if name.isEmpty || name.count > 200 || name.unicodeScalars.contains(where: { $0.value < 0x20 }) {
      problems.append("--name must be 1 to 200 characters without control characters")
    }
    let stated = self.stated(files: files.count, sigma: sigma, n: n, alpha: alpha, problems: &problems)
    var parts: [(file: String, digest: String, stated: Stated, log: CohenLog)] = []
    for (place, file) in files.enumerated() {
      guard let data = FileManager.default.contents(atPath: file) else {
        problems.append("\(file) cannot be read; check the path and its permissions")
        continue
      }
      do throws(CohenLog.Failure) {
        let log = try CohenLog.read(data)
        if place < stated.count { parts.append((file, SHA256(hashing: data).hex, stated[place], log)) }
      } catch { problems += error.description.split(separator: "\n").map { "\(file): \($0)" } }
    }
    guard problems.isEmpty else { throw InputProblems(problems) }
    var levels: [ExactDecimal] = []
    var logs: [Self] = []
    for part in parts {
      if part.stated.sigma == nil && part.log.sigmas.isEmpty {
        problems.append("--sigma is missing, and \(part.file) names no noise level; give the one it was made at")
      }
      for level in part.stated.sigma.map({ [$0] }) ?? part.log.sigmas where !levels.contains(level) {
        levels.append(level)
      }
    }
    for level in levels {
      let own = parts.compactMap { part -> (file: String, digest: String, stated: Stated, log: CohenLog)? in
        if part.stated.sigma == level { return part }
        guard part.stated.sigma == nil, part.log.sigmas.contains(level) else { return nil }
        return (part.file, part.digest, part.stated, part.log.level(level))
      }
      if let log = merged(own, sigma: level, problems: &problems) { logs.append(log) }
    }
    guard problems.isEmpty else { throw InputProblems(problems) }
    return logs
  }

  private static func merged(
    _ parts: [(file: String, digest: String, stated: Stated, log: CohenLog)], sigma: ExactDecimal,
    problems: inout [String]
  ) -> Self? {
    let before = problems.count
    var log = parts[0].log
    let stated = parts[0].stated
    var seen = Set(log.rows.compactMap(\.index))
    var notes = log.notes.map { parts.count > 1 ? "\((parts[0].file as NSString).lastPathComponent): \($0)" : $0 }
    for part in parts {
      let wrong = part.log.problems(sigma: sigma, draws: stated.n, alpha: stated.alpha)
      problems += wrong.prefix(CohenLog.Failure.shown).map { "\(part.file): \($0)" }
      if wrong.count > CohenLog.Failure.shown {
        problems.append("\(part.file): … and \(wrong.count - CohenLog.Failure.shown) more")
      }
    }
    var digests: Set<String> = [parts[0].digest]
    for part in parts.dropFirst() {
      if !digests.insert(part.digest).inserted {
        problems.append(
          "\(part.file): has the content of an earlier file of sigma \(sigma); import each part of a log once")
      }
      if part.stated.n != stated.n || part.stated.alpha != stated.alpha {
        problems.append(
          "\(part.file): n or alpha differ from those of \(parts[0].file) at the same sigma \(sigma); parts of a log share them"
        )
      }
      if part.log.hasIndices != log.hasIndices {
        problems.append(
          "\(part.file): has \(part.log.hasIndices ? "" : "no ")image indices, unlike \(parts[0].file); import them under two names"
        )
      }
      for row in part.log.rows {
        if let index = row.index, !seen.insert(index).inserted {
          problems.append(
            "\(part.file): line \(row.line), column idx: image \(index) is in an earlier file of sigma \(sigma); import each image once"
          )
        }
      }
      log.rows += part.log.rows
      log.hasFullRadii = log.hasFullRadii && part.log.hasFullRadii
      notes += part.log.notes.map { "\((part.file as NSString).lastPathComponent): \($0)" }
    }
    if log.rows.isEmpty { problems.append("\(parts[0].file) holds no row; nothing can be said about sigma \(sigma)") }
    guard problems.count == before else { return nil }
    let record = NewImportedLog(
      sigma: "\(sigma)", n: stated.n, alpha: stated.alpha.value, hasIndices: log.hasIndices,
      hasFullRadii: log.hasFullRadii, files: parts.map { ($0.file as NSString).lastPathComponent },
      fileDigests: parts.map(\.digest), notes: notes,
      rows: log.rows.map { row in
        ImportedRow(
          imageIndex: row.index, label: row.label, predicted: row.predicted,
          radius: row.predicted == nil ? nil : row.radius, hits: row.hits, statedCorrect: row.statedCorrect,
          seconds: row.seconds)
      })
    return Self(log: log, record: record)
  }

  /// One statement per file, from options given once or once per file.
  private static func stated(
    files: Int, sigma: [String], n: [String], alpha: [String], problems: inout [String]
  ) -> [Stated] {
    func spread<Value>(_ option: String, _ words: [String], _ wanted: String, _ parse: (String) -> Value?) -> [Value]? {
      guard words.count == 1 || words.count == files else {
        problems.append(
          words.isEmpty
            ? "\(option) is missing; give \(wanted)"
            : "\(option) is given \(words.count) times for \(files) files; give it once, or once for each file")
        return nil
      }
      let before = problems.count
      let values = words.compactMap { word -> Value? in
        let value = parse(word)
        if value == nil { problems.append("\(option) is \(word); it must be \(wanted)") }
        return value
      }
      guard problems.count == before else { return nil }
      return values.count == files ? values : Array(repeating: values[0], count: files)
    }
    let levels =
      sigma.isEmpty
      ? []
      : spread("--sigma", sigma, "the noise level, a decimal above 0 and at most 1000") { word in
        ExactDecimal(word).flatMap { $0.value > 0 && $0.value <= 1000 ? $0 : nil }
      }
    let draws = spread("--n", n, "the number of estimation draws, 1 to 2147483647") { word in
      Int(word).flatMap { (1...2_147_483_647).contains($0) ? $0 : nil }
    }
    let alphas = spread("--alpha", alpha, "a failure probability above 0 and at most 0.5, for example 0.001") { word in
      ExactDecimal(word).flatMap { ClopperPearson.problem(alpha: $0) == nil ? $0 : nil }
    }
    guard let levels, let draws, let alphas else { return [] }
    return (0..<files).map { Stated(sigma: levels.isEmpty ? nil : levels[$0], n: draws[$0], alpha: alphas[$0]) }
  }
}
