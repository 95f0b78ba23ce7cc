import Foundation
import TestSupport
import Testing

@Suite("Tables and plots for papers, by the program", .serialized) struct PaperProgramTests {
  private static let converter = "/usr/bin/rsvg-convert"

  @Test("a run laid out as papers do, in three formats, with training sigma stated and published figures beside")
  func paper() async throws {
    try await ReportProgramTests.withRun { _, environment async throws in
      func report(_ more: [String]) async throws -> Program.Outcome {
        try await Program.run(["report", "1", "--paper"] + more, environment: environment)
      }
      let plain = try await report([])
      #expect(plain.status == 0 && plain.output.contains("| these runs | ours |"), "\(plain)")
      #expect(!plain.output.contains("ublished"), "no figures are known for this image set")
      let beside = try await report([
        "--train-sigma", "0.5", "--reference", "cifar10", "--method", "mine", "--radii", "0,0.25",
      ])
      #expect(beside.output.contains("| rRCM-B | published, Table 2 | 16s | **83.6** | **73.4** |"), "\(beside)")
      #expect(beside.output.contains("| 0.5 | 0.25 | ours |") && beside.output.contains("| mine | ours |"))
      let latex = try await report(["--format", "latex"])
      #expect(latex.output.hasPrefix("% \\usepackage{booktabs}\n\\begin{table}"))
      let csv = try await report(["--format", "csv", "--reference", "imagenet"])
      #expect(csv.output.contains("best over sigma,published,Table 1,DDS,,,0.5,0.610000,0.610000,,3m52s"))
      for (arguments, message) in [
        (["--format", "html"], "--paper goes with --format markdown, latex or csv"),
        (["--reference", "mnist"], "--reference is mnist"),
        (["--train-sigma", "0.25,0.5"], "--train-sigma names 2 noise levels for 1 runs"),
        (["--train-sigma", "x"], "--train-sigma has x"), (["--plot", "radii"], "each replace the report; give one"),
      ] {
        let outcome = try await report(arguments)
        #expect(outcome.status == 64 && outcome.errors.contains(message), "\(outcome)")
      }
    }
  }

  @Test(
    "a plot is written as its file's name asks: SVG always, PDF and PNG where there is a converter, else the remedy")
  func plots() async throws {
    try await ReportProgramTests.withRun { _, environment async throws in
      let folder = TemporaryFolder()
      func plot(_ kind: String, _ name: String, path: String? = nil) async throws -> (Program.Outcome, Data?) {
        var environment = environment
        if let path { environment["PATH"] = path }
        let file = folder.path + "/" + name
        let outcome = try await Program.run(
          ["report", "1", "--plot", kind, "--out", file], environment: environment)
        return (outcome, FileManager.default.contents(atPath: file))
      }
      for kind in ["accuracy", "radii", "samples"] {
        let (outcome, file) = try await plot(kind, "\(kind).svg")
        #expect(outcome.status == 0, "\(outcome)")
        #expect(String(decoding: file ?? Data(), as: UTF8.self).hasPrefix("<?xml"))
        guard FileManager.default.isExecutableFile(atPath: Self.converter) else { continue }
        for (end, magic) in [("pdf", "%PDF"), ("png", "\u{89}PNG")] {
          let (outcome, file) = try await plot(kind, "\(kind).\(end)")
          #expect(outcome.status == 0 && (file?.count ?? 0) > 1000, "\(outcome)")
          #expect(file?.prefix(4) == Data(magic.unicodeScalars.map { UInt8($0.value) }))
        }
      }
      let (refused, nothing) = try await plot("radii", "no.pdf", path: "/nowhere")
      #expect(refused.status == 64 && nothing == nil && refused.errors.contains("apt-get install librsvg2-bin"))
      let (wrong, _) = try await plot("radii", "no.jpeg")
      #expect(wrong.status == 64 && wrong.errors.contains("a plot is written as .svg, .pdf or .png"))
    }
  }
}
