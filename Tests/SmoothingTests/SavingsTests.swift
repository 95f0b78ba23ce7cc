import Smoothing
import Testing

/// What stopping early saves on published votes: locuslab/smoothing's CIFAR-10 logs of n = 100,000, inverted to counts.
///
/// The logs hold no order of draws. Given their number, hits come in every order equally often; so a random order replays a
/// run exactly as likely as the real one.
@Suite("Samples saved", .enabled(if: Reference.isPresent))
struct SavingsTests {
  struct Image {
    let hits: Int
    let isCorrect: Bool
  }

  static func images(_ log: String) throws -> [Image] {
    try Reference.rows(try Reference.text("golden/cohen/rows.csv")).filter { $0["source_file"]! == log }
      .enumerated().filter { $0.offset % 10 == 0 }.map { _, row in
        // Of an abstention only the range is known; as for the others, its middle stands for it.
        Image(
          hits: Int(row["nA"]!) ?? (Int(row["nA_lo"]!)! + Int(row["nA_hi"]!)!) / 2,
          isCorrect: try #require(row["correct"]) == "1")
      }
  }

  @Test(
    "sequential needs 3 times fewer samples for a table of radii and 10 times fewer for one, at equal certified accuracy",
    arguments: [
      ("GL02", "0.25", ["0", "0.25", "0.5", "0.75"], 3.0), ("GL02", "0.25", ["0.5"], 10.0),
      ("GL03", "0.5", ["0", "0.25", "0.5", "0.75", "1", "1.25", "1.5"], 3.0), ("GL03", "0.5", ["1"], 10.0),
    ])
  func savings(log: String, sigma: String, targets: [String], factor: Double) throws {
    let images = try Self.images(log)
    #expect(images.count == 50)
    let (draws, chunk) = (100_000, 250)
    let level = try #require(ExactDecimal(sigma))
    let radii = try targets.map { try #require(ExactDecimal($0)) }
    let rules = CertificateRules(mode: .sequential, draws: draws, alpha: 0.001, sigma: level, targets: radii)
    var looks = [1]
    while looks.last! < draws / chunk { looks.append(min(looks.last! + max(1, looks.last! / 10), draws / chunk)) }

    var generator = SplitMix(state: 7)
    var used = 0
    var reached = radii.map { _ in (fixed: 0, sequential: 0) }
    for image in images {
      var decider = ItemDecider(rules, topClass: 0)
      var (drawn, hits) = (0, 0)
      var decision: Decision?
      for look in looks where decision == nil {
        while drawn < look * chunk {
          // Drawing without replacement out of the image's hits and misses.
          if Int.random(in: 0..<draws - drawn, using: &generator) < image.hits - hits { hits += 1 }
          drawn += 1
        }
        decision = decider.look(votes: [0: hits, 1: drawn - hits], draws: drawn)
      }
      used += drawn
      let fixed = Certificate.certify(hits: image.hits, draws: draws, sigma: level, alpha: 0.001)
      for (place, radius) in radii.enumerated() where image.isCorrect {
        if fixed.reaches(radius) { reached[place].fixed += 1 }
        if try #require(decision).certificate.reaches(radius) { reached[place].sequential += 1 }
      }
    }
    let saved = Double(draws * images.count) / Double(used)
    print("| \(log) | \(sigma) | \(targets.joined(separator: ", ")) | \(used / images.count) | \(saved) |")
    #expect(saved >= factor, "\(saved) times fewer")
    for (place, count) in reached.enumerated() {
      // Half a point of the full list; of these fifty at most one image may differ.
      #expect(abs(count.fixed - count.sequential) <= 1, "at radius \(targets[place])")
    }
  }
}
