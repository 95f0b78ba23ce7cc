internal import ArgumentParser
internal import Foundation
internal import Smoothing

struct Radius: AsyncParsableCommand, AnswersWithRows {
  static let configuration = CommandConfiguration(
    commandName: "radius", abstract: "Certify counts: the radius that so many votes out of so many draws prove.",
    discussion: """
      rrcm radius --hits 9900 --draws 10000 --sigma 0.25 --alpha 0.001
      rrcm radius --input counts.csv > certified.csv

      Modes: fixed takes all draws planned; sequential takes what had been drawn when somebody stopped, whenever that was;
      runner-up bounds the runner-up too. The table has columns hits,draws,sigma,alpha in any order, and mode and
      runner_up_hits where rows differ in them; others are passed through, p_lower,radius,abstain added.
      Next: rrcm plan FILE.yaml
      """)
  static let layouts = [
    RowLayout(columns: [
      "hits", "draws", "sigma", "alpha", "p_lower", "radius", "abstain", "mode", "runner_up_hits", "p_upper",
    ])
  ]

  @Option(name: .long, parsing: .unconditional, help: "Votes for the top class, in estimation.")
  var hits: Int?
  @Option(name: .long, parsing: .unconditional, help: "Estimation draws n.")
  var draws: Int?
  @Option(name: .long, parsing: .unconditional, help: "Noise level, in the [0, 1] pixel range.")
  var sigma: String?
  @Option(name: .long, parsing: .unconditional, help: "Failure probability of the certificate.")
  var alpha: String = "0.001"
  @Option(name: .long, help: "The bound: fixed, sequential or runner-up.")
  var mode: String = "fixed"
  @Option(
    name: .customLong("runner-up-hits"), parsing: .unconditional,
    help: "Votes for the most frequent other class; for mode runner-up.")
  var runnerUpHits: Int?
  @Option(name: .long, help: "CSV file with a row per certificate; - for standard input.")
  var input: String?
  @OptionGroup var output: OutputOptions

  func run() async throws {
    if let input {
      guard hits == nil, draws == nil, sigma == nil, runnerUpHits == nil, mode == "fixed", alpha == "0.001" else {
        throw InputProblems(["--input stands alone: hits, draws, sigma, alpha and mode come from its columns"])
      }
      guard [.table, .csv].contains(output.output) else {
        throw InputProblems(["--output is \(output.output.rawValue); --input answers with CSV, leave it out"])
      }
      let data =
        input == "-" ? FileHandle.standardInput.readDataToEndOfFile() : FileManager.default.contents(atPath: input)
      guard let data else { throw InputProblems(["\(input) cannot be read; check the path and its permissions"]) }
      guard let text = String(data: data, encoding: .utf8) else {
        throw InputProblems(["\(input) is not UTF-8 text; the table is CSV"])
      }
      let answer = try await offPool { try RadiusTable.answer(text) }
      Console.out(answer)
      return
    }
    let (question, sigma) = try checked()
    let certificate = question.certificate(sigma: sigma)
    switch output.output {
    case .table:
      Console.out("p_lower  \(NumberText.down17(certificate.pLower))\n")
      if let upper = certificate.upperBound { Console.out("p_upper  \(NumberText.up17(upper.value))\n") }
      let why = question.mode == .runnerUp ? "the runner-up is not clearly behind" : "the bound is not above one half"
      Console.out(certificate.radius.map { "radius   \(NumberText.down17($0))\n" } ?? "abstain  \(why)\n")
    default:
      var table = OutputTable(Self.layouts[0])
      table.add([
        .int(Int64(question.hits)), .int(Int64(question.draws)), .double(sigma.value),
        .double(question.alpha.value), .atLeast(certificate.pLower), certificate.radius.map { .atLeast($0) } ?? .none,
        .bool(certificate.abstains), .text(question.mode.rawValue),
        .int(question.mode == .runnerUp ? Int64(question.runnerUpHits) : nil),
        certificate.upperBound.map { .atMost($0.value) } ?? .none,
      ])
      table.print(output)
    }
  }

  /// The question in numbers, or everything that is wrong with it.
  private func checked() throws -> (CertificateQuestion, sigma: ExactDecimal) {
    var problems: [String] = []
    if draws == nil { problems.append("--draws is missing; give the number of estimation draws n") }
    if let draws, !(1...2_147_483_647).contains(draws) {
      problems.append("--draws is \(draws); it must be 1 to 2147483647")
    }
    if hits == nil { problems.append("--hits is missing; give the votes for the top class") }
    if let hits, hits < 0 || hits > draws ?? Int.max {
      problems.append("--hits is \(hits); it must be 0 to the number of draws")
    }
    let sigmaValue = sigma.flatMap { ExactDecimal($0) }.flatMap { $0.value > 0 && $0.value <= 1000 ? $0 : nil }
    if sigmaValue == nil {
      problems.append("--sigma is \(sigma ?? "missing"); it must be a positive number up to 1000, for example 0.25")
    }
    let alphaValue = ExactDecimal(alpha).flatMap { ClopperPearson.problem(alpha: $0) == nil ? $0 : nil }
    if alphaValue == nil {
      problems.append("--alpha is \(alpha); it must be above 0 and at most 0.5, for example 0.001")
    }
    let modeValue = CertificateQuestion.Mode(rawValue: mode)
    if modeValue == nil { problems.append("--mode is \(mode); it must be one of \(CertificateQuestion.Mode.words)") }
    if modeValue == .runnerUp {
      let most = (draws ?? Int.max) - (hits ?? 0)
      if runnerUpHits == nil { problems.append("--runner-up-hits is missing; give the most votes of any other class") }
      if let runnerUpHits, runnerUpHits < 0 || runnerUpHits > max(most, 0) {
        problems.append("--runner-up-hits is \(runnerUpHits); it must be 0 to the draws less the hits")
      }
    } else if let runnerUpHits {
      problems.append("--runner-up-hits is \(runnerUpHits); it belongs to --mode runner-up, leave it out")
    }
    guard problems.isEmpty else { throw InputProblems(problems) }
    return (
      CertificateQuestion(
        mode: modeValue!, hits: hits!, draws: draws!, alpha: alphaValue!, runnerUpHits: runnerUpHits ?? 0), sigmaValue!
    )
  }
}
