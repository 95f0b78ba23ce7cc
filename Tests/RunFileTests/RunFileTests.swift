import Foundation
import Noise
import Smoothing
import TestSupport
import Testing

@testable import RunFile

private let certify = """
  kind: certify
  name: probe
  checkpoint: net
  dataset: {name: digits}
  smoothing: {sigma: [0.25, 1.0]}
  """

private let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
  .deletingLastPathComponent().path

@Suite("Run files") struct RunFileTests {
  private func problems(_ text: String, overrides: [String] = [], environment: [String: String] = [:]) -> [String] {
    do {
      _ = try RunFile.parse(text, overrides: overrides, environment: environment)
      return []
    } catch { return (error as? RunFileError)?.problems ?? ["\(error)"] }
  }

  @Test("defaults are the paper's protocol")
  func defaults() throws {
    let spec = try RunFile.parse(certify)
    guard case .certify(let smoothing) = spec.work else { throw RunFileError(["not a certification"]) }
    #expect(smoothing.n0 == 100 && smoothing.n == 100_000 && smoothing.alpha == 0.001)
    #expect(smoothing.sampler == .grid && smoothing.mode == .fixed && smoothing.m == nil)
    #expect(smoothing.sigmas.map(\.decimal) == ["0.25", "1"])
    #expect(spec.dataset.split == "heldout" && spec.dataset.every == 1 && spec.checkpoint == "net")
  }

  @Test("a misspelt key is an error that names the nearest known one")
  func nearestNames() {
    #expect(
      problems(certify.replacing("sigma:", with: "sigm:"))
        .contains { $0.hasPrefix("smoothing.sigm is not a setting; did you mean \"sigma\"?") })
    #expect(problems(certify + "\nsmothing: {n: 5}").contains { $0.contains("did you mean \"smoothing\"?") })
    #expect(problems(certify + "\nzebra: 1").contains { $0.contains("zebra is not a setting; known keys: ") })
    #expect(SettingTemplate.editDistance("kitten", "sitting") == 3)
  }

  @Test("every problem is reported at once, each with field, value and remedy")
  func allProblemsAtOnce() {
    let found = problems(
      """
      kind: certify
      name: 3
      checkpoint: net
      dataset: {name: digits, every: 0}
      smoothing: {sigma: [-1], n0: 0, alpha: 7, sampler: gird}
      chunk_samples: many
      """)
    for start in [
      "name is 3;", "dataset.every is 0;", "smoothing.sigma is [-1];", "smoothing.n0 is 0;", "smoothing.alpha is 7",
      "smoothing.sampler is \"gird\"; it must be one of grid, gaussian",
      "chunk_samples is \"many\"; it must be a whole number",
    ] {
      #expect(found.contains { $0.hasPrefix(start) }, "\(start) is missing from \(found)")
    }
  }

  @Test(
    "values that can never work are refused before anything is written",
    arguments: [
      (
        "smoothing: {sigma: [0.25], n: 5}",
        "smoothing.n is 5; it is too small: with alpha 0.001 even a unanimous vote of fewer than 10 draws cannot certify; raise n to 10 or more, or raise alpha"
      ),
      ("smoothing: {sigma: []}", "smoothing.sigma is []; it must name at least one"),
      ("smoothing: {sigma: [0.5, 0.50]}", "must not name a level twice"),
      (
        "smoothing: {sigma: [0.25], sampler: gaussian, m: 2}",
        "smoothing.m is 2; it belongs to the grid sampler; leave it out"
      ),
      (
        "smoothing: {sigma: [0.25], n: 9}",
        "smoothing.n is 9; it is too small: with alpha 0.001 even a unanimous vote"
      ),
      ("smoothing: {sigma: [0.25], alpha: 0}", "smoothing.alpha is 0; it must be above 0 and at most 0.5"),
      ("smoothing: {sigma: [0.25], alpha: 1}", "smoothing.alpha is 1; it must be above 0 and at most 0.5"),
      ("smoothing: {sigma: [0.25], alpha: .nan}", "smoothing.alpha is nan; it must be a finite number"),
      ("smoothing: {sigma: [0.25, .inf]}", "smoothing.sigma is [0.25, inf]; it must be positive numbers"),
      ("smoothing: {sigma: [0.25, x]}", "smoothing.sigma is [0.25, \"x\"]; it must be positive numbers"),
      ("smoothing: {sigma: [0.25]}\nnumerics: [3]", "numerics is [3]; it must be a list of names"),
      ("smoothing: {sigma: [0.25], n: 1.5}", "smoothing.n is 1.5; it must be a whole number"),
      ("smoothing: {sigma: [0.25], mode: sometimes}", "must be one of fixed"),
      ("smoothing: [0.25]", "smoothing is [0.25]; it must be a group of settings"),
    ])
  func impossibleValues(section: String, message: String) {
    let text = "kind: certify\nname: probe\ncheckpoint: net\ndataset: {name: digits}\n" + section
    #expect(problems(text).contains { $0.contains(message) }, "\(problems(text))")
  }

  @Test("a missing kind, a wrong kind, broken YAML and an empty file each say what to write")
  func notARunFile() {
    #expect(problems("name: x") == ["kind is missing; add one of pretrain, finetune, certify"])
    #expect(problems("kind: certfy") == ["kind is \"certfy\"; it must be one of pretrain, finetune, certify"])
    #expect(problems("kind: [")[0].hasPrefix("not valid YAML:"))
    #expect(problems("")[0].contains("it must be a group of settings"))
  }

  @Test("the environment lies over the file, and --set over the environment")
  func layers() throws {
    let environment = ["RRCM_RUN_SMOOTHING__N": "2000", "RRCM_RUN_SMOOTHING__N0": "50", "RRCM_HOME": "/x"]
    let spec = try RunFile.parse(certify, overrides: ["smoothing.n=3000", "name=other"], environment: environment)
    guard case .certify(let smoothing) = spec.work else { throw RunFileError(["not a certification"]) }
    #expect(smoothing.n == 3000 && smoothing.n0 == 50 && spec.name == "other")
    #expect(problems(certify, overrides: ["smoothing.n"])[0].contains("has no \"=\""))
    let wrong = problems(
      certify, overrides: ["smoothing.n", "seed=["], environment: ["RRCM_RUN_NAME": "{", "RRCM_RUN_SEED": "3"])
    #expect(wrong.count == 3)
    for start in ["--set smoothing.n has no", "--set seed=[ does not have a YAML", "RRCM_RUN_NAME does not have"] {
      #expect(wrong.contains { $0.hasPrefix(start) }, "\(start) is missing from \(wrong)")
    }
    #expect(problems(certify, environment: ["RRCM_RUN_SMOTHING__N": "1"])[0].contains("did you mean \"smoothing\"?"))
  }

  @Test(
    "what is stored reads back as the same run, to the last digit",
    arguments: [
      certify,
      certify.replacing("[0.25, 1.0]", with: "[0.1, 0.12, 1e-3, 2.5]") + "\nseed: 9007199254740993\nnumerics: [a, b]",
      "kind: pretrain\nname: p\ndataset: {name: digits}\nmodel: {patch: 4, width: 64, depth: 3, heads: 4}\ntraining: {learning_rate: 0.1, weight_decay: 0.01, min_scale: 0.3}",
      "kind: finetune\nname: f\ncheckpoint: p\ndataset: {name: digits, indices: [5, 3]}\ntraining: {epochs: 20, lambda: 12.5, layer_decay: 0.65}",
    ])
  func roundTrip(text: String) throws {
    let spec = try RunFile.parse(text)
    let stored = try spec.settings.json
    #expect(try RunFile.parse(stored) == spec)
    #expect(try RunFile.parse(stored).settings.json == stored)
  }

  @Test(
    "names are what people can type and a number cannot be mistaken for",
    arguments: ["a b", "ä", "\"\"", "12", "true", "a/b"])
  func names(name: String) {
    let found = problems(certify.replacing("probe", with: name))
    #expect(found.count == 1 && found[0].hasPrefix("name is "), "\(found)")
  }

  @Test("a seed is drawn when none is given, and kept when one is")
  func seeds() throws {
    #expect(try RunFile.parse(certify + "\nseed: 17").seed == 17)
    #expect(try Set((0..<4).map { _ in try RunFile.parse(certify).seed }).count > 1)
    #expect(problems(certify + "\nseed: -1")[0].contains("seed is -1; it must be a whole number of at least 0"))
  }

  @Test(
    "trap 1: subsets are explicit lists of indices: stride, offset, limit and explicit lists, always in order and never empty"
  )
  func subsets() throws {
    let split: [Int32] = [2, 3, 5, 7, 11, 13, 17]
    func chosen(_ selection: String) throws -> [Int32] {
      try RunFile.parse(certify.replacing("{name: digits}", with: "{name: digits, \(selection)}")).dataset.choose(
        from: split)
    }
    #expect(try chosen("every: 3") == [2, 7, 17])
    #expect(try chosen("every: 3, offset: 1") == [3, 11])
    #expect(try chosen("limit: 2") == [2, 3])
    #expect(try chosen("indices: [13, 2]") == [13, 2])
    let stranger = #expect(throws: RunFileError.self) { try chosen("indices: [13, 4]") }
    #expect(stranger?.problems[0].contains("names 4, not in split \"heldout\"") == true)
    let empty = #expect(throws: RunFileError.self) { try chosen("offset: 9") }
    #expect(empty?.problems[0].contains("selects no image") == true)
  }

  @Test("every file under configs/ is in order")
  func configsAreInOrder() throws {
    let files = FileManager.default.enumerator(atPath: root + "/configs")!.compactMap { $0 as? String }
      .filter { $0.hasSuffix(".yaml") }
    #expect(files.count >= 4)
    for file in files {
      if file.hasPrefix("sweeps/") {
        _ = try SweepFile.read(path: "\(root)/configs/\(file)")
      } else {
        _ = try RunFile.read(path: "\(root)/configs/\(file)", environment: [:])
      }
    }
  }

  @Test("settings of a mode are read, stored and read again; those of another mode are refused, all at once")
  func modes() throws {
    func file(_ smoothing: String) -> String {
      "kind: certify\nname: x\ncheckpoint: c\ndataset: {name: d}\nseed: 1\nsmoothing: {sigma: 0.5, n: 1000, \(smoothing)}\n"
    }
    for (text, mode, chunk) in [
      ("mode: fixed", "fixed", 1000), ("curtail: true, targets: [0.5, 0, 0.25]", "curtailed", 250),
      ("runner_up: true", "runner-up", 1000), ("mode: sequential, targets: 0.5", "sequential", 250),
      ("mode: epsilon, epsilon: 0.05", "epsilon", 250), ("mode: predict", "predict", 1000),
    ] {
      let spec = try RunFile.parse(file(text))
      guard case .certify(let smoothing) = spec.work else { return }
      #expect(smoothing.certificateMode.rawValue == mode && smoothing.chunkSamples == chunk)
      #expect(smoothing.targets.map(\.value) == smoothing.targets.map(\.value).sorted())
      #expect(try RunFile.parse(spec.settings.json) == spec)
    }
    for (text, problem) in [
      ("mode: sequential", "smoothing.targets is []; it must name the radii to decide"),
      ("targets: [0.5]", "it belongs to mode sequential"), ("mode: epsilon", "smoothing.epsilon is missing"),
      ("epsilon: 0.1", "smoothing.epsilon is 0.1; it belongs to mode epsilon"),
      ("mode: epsilon, epsilon: 1.5", "must be above 0 and below 1"),
      ("mode: predict, n0: 50", "smoothing.n0 is 50; mode predict tests the estimation draws alone"),
      ("mode: predict, curtail: true", "smoothing.curtail is true; it belongs to mode fixed"),
      ("curtail: true, runner_up: true, targets: [1]", "cannot go with smoothing.curtail"),
      ("mode: sequential, targets: [-1]", "must be radii from 0"), ("mode: best", "must be one of fixed, sequential"),
      ("mode: sequential, targets: [1, 1]", "must not name a radius twice"),
    ] {
      let error = try #require(throws: RunFileError.self) { try RunFile.parse(file(text)) }
      #expect(error.description.contains(problem), "\(text): \(error.description)")
    }
  }

  @Test("docs/run-files.md names every key there is, and no other")
  func documentationIsComplete() throws {
    let text = try String(contentsOfFile: root + "/docs/run-files.md", encoding: .utf8)
    var documented: [String: Set<String>] = [:]
    var section = ""
    for line in text.split(separator: "\n") {
      if line.hasPrefix("## ") { section = line.dropFirst(3).trimmingCharacters(in: ["`", " "]) }
      if let key = line.firstMatch(of: /^\| `([a-z0-9_.]+)`/)?.1 {
        documented[section, default: []].insert(String(key))
      }
    }
    for kind in RunSpec.Kind.allCases {
      var keys = Set<String>()
      func collect(_ value: SettingValue, _ path: String) {
        guard case .map(let map) = value, path != "training.optimizer" else {
          keys.insert(path)
          return
        }
        for (key, value) in map { collect(value, path.isEmpty ? key : "\(path).\(key)") }
      }
      collect(try RunSpec.template(kind).defaults, "")
      let described = documented[kind.rawValue, default: []].union(documented["Every kind", default: []])
      #expect(keys.subtracting(described).isEmpty, "\(kind): not documented")
      #expect(
        described.subtracting(keys).subtracting(kind == .pretrain ? ["checkpoint"] : []).isEmpty,
        "\(kind): documented but gone")
    }
  }

  @Test("docs/run-files.md gives the default of every key that has one", arguments: RunSpec.Kind.allCases)
  func documentedDefaults(kind: RunSpec.Kind) throws {
    let text = try String(contentsOfFile: root + "/docs/run-files.md", encoding: .utf8)
    var section = ""
    var compared = 0
    let defaults = try RunSpec.template(kind).defaults
    for line in text.split(separator: "\n") {
      if line.hasPrefix("## ") { section = line.dropFirst(3).trimmingCharacters(in: ["`", " "]) }
      guard section == kind.rawValue, let match = line.firstMatch(of: /^\| `([a-z0-9_.]+)` \| ([^|]+) \|/) else {
        continue
      }
      let written = match.2.replacing("`", with: "").replacing("−", with: "-")
      switch defaults.value(at: String(match.1)) {
      case .null, .map, .list: continue
      case .int(let value): #expect(Double(written) == Double(value), "\(match.1) is \(value)")
      case .double(let value): #expect(Double(written) == value, "\(match.1) is \(value)")
      case .bool(let value): #expect(written == "\(value)", "\(match.1) is \(value)")
      case .string(let value): #expect(written == value, "\(match.1) is \(value)")
      }
      compared += 1
    }
    #expect(compared >= 6)
  }
}
