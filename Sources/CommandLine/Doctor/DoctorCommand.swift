internal import ArgumentParser
internal import Compute
internal import ComputeCPU
internal import Database
internal import Foundation
internal import Store

/// Looks for the commonest troubles and says what to do.
struct DoctorCommand: AsyncParsableCommand, AnswersWithRows {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Look for the commonest troubles: symptom, cause, remedy; exit 1 if there is any.",
    discussion: """
      rrcm doctor
      rrcm doctor --deep --output json

      Looks and changes nothing. Also prints the versions found.
      Next: rrcm status
      """)
  static let layouts = [RowLayout(columns: ["check", "state", "symptom", "cause", "remedy"])]

  @Flag(name: .long, help: "Read and hash every registered file; slow for large stores.")
  var deep = false
  @Option(name: .long, help: "GiB that must be free where the store and RRCM_HOME are.")
  var leastFreeGib = 1.0
  @Option(name: .long, help: "Seconds for which a transaction may be open.")
  var longSeconds = 300.0
  @OptionGroup var output: OutputOptions

  func validate() throws {
    guard leastFreeGib >= 0, leastFreeGib < 1e9 else {
      throw ValidationError("--least-free-gib is \(leastFreeGib); it must be 0 or more")
    }
    guard longSeconds > 0, longSeconds < 1e9 else {
      throw ValidationError("--long-seconds is \(longSeconds); it must be above 0")
    }
  }

  func run() async throws {
    let context = Context()
    let device = try CPUDevice()
    var findings: [Finding] = [
      .version("rrcm", Software.version), .version("libpq", ClientLibrary.version),
      .version("processor", device.summary), .version("numerics_id", device.numerics.description),
    ]
    findings += Finding.gpus()
    let database = await DatabaseChecks(context: context, longSeconds: longSeconds).run()
    findings += database.findings
    if let store = database.store {
      do { findings += try await FleetChecks(store: store, home: context.home).run() } catch {
        findings.append(
          .trouble(
            .database, "\(error)", cause: "the database stopped answering, or this role may not read all of it",
            remedy: "look at the server's log and the role's rights, then run rrcm doctor again"))
      }
    } else {
      findings += FleetChecks.checks.map { .skipped($0, because: "the schema cannot be read") }
    }
    findings += try await StoreChecks(
      context: context, leastFree: Int64(leastFreeGib * 1_073_741_824), deep: deep
    ).run(database.store)

    if output.output == .table { Console.out(Self.text(findings)) } else { Self.table(findings).print(output) }
    if findings.contains(where: { $0.state == .trouble }) { throw ExitCode(ExitStatus.failed.rawValue) }
  }

  private static func table(_ findings: [Finding]) -> OutputTable {
    var table = OutputTable(layouts[0])
    for finding in findings {
      table.add([
        .text(finding.check), .text(finding.state.rawValue), .text(finding.symptom), .text(finding.cause),
        .text(finding.remedy),
      ])
    }
    return table
  }

  /// For people: a line per check, three for a trouble.
  static func text(_ findings: [Finding]) -> String {
    let lines = findings.flatMap { finding -> [String] in
      let state = finding.state == .info ? "" : finding.state.rawValue
      let head =
        "\(state.padding(toLength: 8, withPad: " ", startingAt: 0))"
        + "\(finding.check.padding(toLength: 12, withPad: " ", startingAt: 0))\(finding.symptom)"
      let more = [("because", finding.cause), ("do", finding.remedy)].compactMap { label, text in
        text.map { "            \(label.padding(toLength: 8, withPad: " ", startingAt: 0))\($0)" }
      }
      return [head] + more
    }
    let troubles = findings.count { $0.state == .trouble }
    let verdict = troubles == 0 ? "no trouble found" : "\(counted(troubles, "trouble")) found"
    return (lines + ["", verdict]).joined(separator: "\n") + "\n"
  }
}
