import Compute
import Models
import Smoothing
import Tensors

/// Whole certifications with given noise.
func checkCertify(_ context: GoldenContext, _ subject: String, _ check: inout GoldenCheck) throws {
  let json = try context.folder.json(subject + ".json")
  let file = try context.folder.tensors(subject + ".safetensors")
  guard let entries = json.array else { throw GoldenError("\(subject).json must be a list of certifications") }
  for entry in entries {
    let tag = try entry.requireString("tag")
    let config = try entry.requireString("config")
    let base = try context.folder.model(file: "model_\(config).safetensors")
    let head = try Head(file, prefix: "\(config).head.", width: base.configuration.width)
    let (model, state) = head.attached(to: base, finalNorm: try entry.requireBool("layernorm"))
    let (sigma, alpha) = (try decimal(entry, "sigma"), try decimal(entry, "alpha"))
    if let problem = ClopperPearson.problem(alpha: alpha) { throw GoldenError("\(tag): \(problem)") }
    let (n0, n) = (try entry.requireInt("n0"), try entry.requireInt("n"))
    let x01 = try file.tensor("\(tag).x01", shape: [1, model.channels, model.imageSize, model.imageSize]).values
    guard n0 > 0, n > 0, sigma.value > 0 else { throw GoldenError("\(tag): n0, n and sigma must be positive") }
    let noise = try file.tensor("\(tag).noise", shape: [n0 + n, model.channels, model.imageSize, model.imageSize])
      .values

    let classifier = try context.device.makeClassifier(model, state: state, batch: nil)
    let inputs = noise.indices.map { ((x01[$0 % x01.count] + Float(sigma.value) * noise[$0]) - 0.5) / 0.5 }
    let logits = try classifier.logits(inputs: inputs, count: n0 + n, noiseLevel: 2 * sigma.value)
    check.absolute(
      "\(tag).logits", logits, try file.tensor("\(tag).logits", shape: [n0 + n, head.classes]).values, 2e-4)

    func votes(_ samples: Range<Int>) -> Counts {
      var votes = [Int](repeating: 0, count: head.classes)
      for s in samples {
        let row = logits[s * head.classes..<(s + 1) * head.classes]
        votes[row.indices.max { (row[$0], -$0) < (row[$1], -$1) }! - row.startIndex] += 1
      }
      return Counts(votes)
    }
    let (selection, estimation) = (votes(0..<n0), votes(n0..<n0 + n))
    check.exact("\(tag).selection_counts", selection.votes, try entry.requireInts("selection_counts"))
    check.exact("\(tag).estimation_counts", estimation.votes, try entry.requireInts("estimation_counts"))
    guard let top = selection.topClass else { throw GoldenError("\(tag): nothing was drawn") }
    let certificate = Certificate.certify(hits: estimation[top], draws: n, sigma: sigma, alpha: alpha)
    check.exact("\(tag).prediction", [certificate.abstains ? -1 : top], [try entry.requireInt("prediction")])
    check.relative("\(tag).radius", [certificate.radius ?? 0], [try entry.requireDouble("radius")], 1e-6)
  }
}

/// A number as the file writes it: 0.001 is one thousandth.
private func decimal(_ json: JSON, _ key: String) throws -> ExactDecimal {
  try json.require(key) { if case .number(let text) = $0 { ExactDecimal(text) } else { nil } }
}

/// Bounds, radii, smallest certifying counts, binomial tests and normal quantiles.
func checkClopperPearson(_ context: GoldenContext, _ subject: String, _ check: inout GoldenCheck) throws {
  let json = try context.folder.json(subject + ".json")
  try checkBounds(json, &check)
  for member in json.members ?? [] where member.key.hasPrefix("smallest_nA_not_abstaining_alpha_") {
    let text = member.key.dropFirst("smallest_nA_not_abstaining_alpha_".count).replacing("_", with: ".")
    guard let alpha = ExactDecimal(text), ClopperPearson.problem(alpha: alpha) == nil else {
      throw GoldenError("\(member.key) does not end in an alpha such as 0_001")
    }
    var (ours, reference): ([Int], [Int]) = ([], [])
    for row in member.value.members ?? [] {
      guard let n = Int(row.key), (1...ClopperPearson.largestDraws).contains(n), let count = row.value.int else {
        throw GoldenError("\(member.key) \"\(row.key)\" is not a number of draws with a count")
      }
      ours.append(Certificate.firstCertifyingCount(draws: n, alpha: alpha) ?? -1)
      reference.append(count)
    }
    check.exact(member.key, ours, reference)
  }
  let tests = json.optional("two_sided_binomial_test")?.array ?? []
  if !tests.isEmpty {
    let pairs = try tests.map { (try $0.requireInt("count1"), try $0.requireInt("count2")) }
    guard pairs.allSatisfy({ $0 >= 0 && $1 >= 0 && $0 + $1 <= ClopperPearson.largestDraws }) else {
      throw GoldenError("two_sided_binomial_test has counts that cannot be")
    }
    check.relative(
      "two_sided_binomial_test.p_value", pairs.map { BinomialTest.pValue($0.0, $0.1) },
      try tests.map { try $0.requireDouble("p_value") }, 1e-9, floor: 1e-300)
    for key in tests.first?.members?.map(\.key) ?? [] where key.hasPrefix("abstain_at_") {
      guard let alpha = ExactDecimal(key.dropFirst("abstain_at_".count).replacing("_", with: ".")) else { continue }
      check.exact(
        "two_sided_binomial_test.\(key)",
        pairs.map { BinomialTest.predict(Counts([$0.0, $0.1]), alpha: alpha) == nil },
        try tests.map { try $0.requireBool(key) })
    }
  }
  let quantiles = json.optional("inverse_normal_cdf")?.array ?? []
  if !quantiles.isEmpty {
    let p = try quantiles.map { try number($0, "p") }
    guard p.allSatisfy({ 0 < $0 && $0 < 1 }) else { throw GoldenError("inverse_normal_cdf needs p between 0 and 1") }
    check.absolute(
      "inverse_normal_cdf", p.map { NormalQuantile.lowerBound(of: ProbabilityBound(value: $0, complement: 1 - $0)) },
      try quantiles.map { try number($0, "z") }, 1e-9)
  }
}

private func checkBounds(_ json: JSON, _ check: inout GoldenCheck) throws {
  let rows = try json.requireArray("bounds")
  var (ours, reference): ([Double], [Double]) = ([], [])
  var above = 0
  var (abstentions, referenceAbstentions): ([Bool], [Bool]) = ([], [])
  var (z, referenceZ): ([Double], [Double]) = ([], [])
  var radii: [String: (ours: [Double], reference: [Double])] = [:]
  for row in rows {
    let (hits, draws) = (try row.requireInt("nA"), try row.requireInt("n"))
    let alpha = try row.optional("alpha_text")?.string.flatMap { ExactDecimal($0) } ?? decimal(row, "alpha")
    guard draws >= 1, draws <= ClopperPearson.largestDraws, 0...draws ~= hits,
      ClopperPearson.problem(alpha: alpha) == nil
    else { throw GoldenError("bounds: nA \(hits), n \(draws), alpha \(alpha) cannot be") }
    let bound = ClopperPearson.lowerBound(hits: hits, draws: draws, alpha: alpha)
    let exact = try row.requireString("p_lower_mpmath")
    guard let value = Double(exact) else { throw GoldenError("p_lower_mpmath \"\(exact)\" is no number") }
    ours.append(bound.value)
    reference.append(value)
    if bound.value > value { above += 1 }
    let certificate = Certificate.certify(hits: hits, draws: draws, sigma: 1.0, alpha: alpha)
    abstentions.append(certificate.abstains)
    // The authors certify a bound of exactly one half with radius 0; nothing is proven there, so we abstain.
    referenceAbstentions.append(try row.requireBool("abstain") || value == 0.5)
    if let radius = certificate.radius, let text = row.optional("z_mpmath")?.string, let exactZ = Double(text) {
      z.append(radius)
      referenceZ.append(exactZ)
    }
    for member in row.members ?? [] where member.key.hasPrefix("radius_") {
      guard let sigma = ExactDecimal(member.key.dropFirst("radius_".count)), sigma.value > 0,
        let radius = member.value.double
      else { throw GoldenError("bounds: \(member.key) does not name a sigma and give a radius") }
      radii[member.key, default: ([], [])].ours.append(Certificate.radius(of: bound, sigma: sigma) ?? 0)
      radii[member.key]!.reference.append(radius)
    }
  }
  check.relative("bounds.p_lower_mpmath", ours, reference, 1e-12)
  check.exact("bounds above the true one", [above], [0])
  check.exact("bounds.abstain", abstentions, referenceAbstentions)
  check.absolute("bounds.z_mpmath", z, referenceZ, 1e-9)
  for (key, pair) in radii.sorted(by: { $0.key < $1.key }) {
    check.relative("bounds.\(key)", pair.ours, pair.reference, 1e-6, floor: 1e-9)
  }
}

/// A number, or the text of one with more digits than a double holds.
private func number(_ json: JSON, _ key: String) throws -> Double {
  try json.require(key) { $0.double ?? $0.string.flatMap { Double($0) } }
}
