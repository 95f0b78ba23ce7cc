internal import ArgumentParser
internal import Coordinator
internal import Foundation
internal import RunFile
internal import Store

extension SweepCommand {
  struct Show: AsyncParsableCommand, AnswersWithRows {
    static let configuration = CommandConfiguration(
      abstract: "Rank a sweep's trials.",
      discussion: """
        rrcm sweep show digits-24
        rrcm sweep show 3 --output csv > trials.csv
        rrcm sweep show 3 --runs

        In psql: SELECT rrcm.sweep_query('digits-24') \\gexec
        Next: rrcm sweep retry NAME
        """)
    /// A column per parameter follows those of the ranking.
    static let layouts = [
      RowLayout(columns: [
        "rank", "trial", "value", "metric", "state", "step", "attempt", "sigma", "certified_accuracy", "acr", "loss",
        "confirmed_accuracy", "confirmed_acr", "finetune_run", "certify_run", "confirm_run", "checkpoint", "error",
      ]),
      RowLayout(
        option: "--runs", columns: ["trial", "attempt", "step", "run", "name", "state", "error", "checkpoint"]),
    ]
    @Argument(help: "Number or name of the sweep.", completion: .sweeps)
    var sweep: String
    @Flag(name: .long, help: "List the trials' runs instead, failed attempts included.")
    var runs = false
    @Flag(name: .long, help: "Print only the complete sweep file (JSON, which is YAML): create it again to repeat it.")
    var spec = false
    @OptionGroup var output: OutputOptions

    func run() async throws {
      let store = try await Context().store("sweep")
      let record = try await find(sweep, in: store)
      if spec {
        Console.out(record.spec + "\n")
      } else if runs {
        try await printRuns(of: record, store)
      } else {
        let trials = try await store.trials(ofSweep: record.id)
        Self.ranking(trials).print(output)
        for line in try await notes(record, trials, store) { Console.say(line) }
      }
    }

    private func printRuns(of record: SweepRecord, _ store: Store) async throws {
      var table = OutputTable(Self.layouts[1])
      for (trial, name, run) in try await store.runs(ofSweep: record.id) {
        table.add([
          .int(trial), .int(run.attempt), .text(run.step), .int(run.runID), .text(name), .text(run.state),
          .text(run.error), .digest(run.checkpointDigest),
        ])
      }
      table.print(output)
    }

    /// The trials as a table, the best first.
    static func ranking(_ trials: [TrialRecord]) -> OutputTable {
      let values = trials.map { SettingValue.map(json: $0.parameters) }
      let fixed = layouts[0].columns
      let parameters = ParameterColumns(values, beside: fixed)
      // People see what differs and what matters: a column that is empty throughout says nothing.
      var shown = ["rank", "value", "trial"] + parameters.names + ["state"]
      if trials.contains(where: { $0.step != nil }) { shown.append("step") }
      if trials.contains(where: { $0.attempt > 1 }) { shown.append("attempt") }
      shown += ["sigma", "acr", "loss"]
      if trials.contains(where: { $0.confirmedACR != nil }) { shown += ["confirmed_accuracy", "confirmed_acr"] }
      shown.append("checkpoint")
      if trials.contains(where: { $0.error != nil }) { shown.append("error") }
      var table = OutputTable(RowLayout(columns: fixed + parameters.names, shown: shown))
      for (trial, values) in zip(trials, values) {
        table.add(
          [
            .int(trial.rank), .int(trial.number), .double(trial.value), .text(trial.metric), .text(trial.state),
            .text(trial.step), .int(trial.attempt), .text(trial.sigma),
            .double(trial.certifiedAccuracy), .double(trial.acr), .double(trial.loss),
            .double(trial.confirmedAccuracy), .double(trial.confirmedACR), .int(trial.finetuneRun),
            .int(trial.certifyRun), .int(trial.confirmRun), .digest(trial.checkpointDigest), .text(trial.error),
          ] + parameters.cells(values))
      }
      return table
    }

    /// What a reader of the ranking must know.
    private func notes(_ record: SweepRecord, _ trials: [TrialRecord], _ store: Store) async throws -> [String] {
      var notes: [String] = []
      func count(_ state: String) -> Int { trials.count { $0.state == state } }
      let scored = trials.count { $0.rank != nil }
      notes.append(
        "sweep \(record.id) (\(record.name)) is \(record.state): \(scored) of \(trials.count) trials are ranked")
      if count("failed") > 0 {
        notes.append("\(count("failed")) failed; the column error says why. Again: rrcm sweep retry \(record.name)")
      }
      guard let best = trials.first(where: { $0.rank == 1 }), scored > 1 else { return notes }
      guard record.metric != "loss" else {
        notes.append(
          "The loss is of each trial's own objective: parameters that are part of it (training.lambda, training.eta)"
            + " change what it measures.")
        return notes
      }
      var images = ""
      if let run = best.certifyRun, let stored = try await store.run("\(run)"),
        let dataset = (try? RunSpec(stored: stored.spec))?.dataset
      {
        images = " (\(dataset.name): \(dataset.summary))"
      }
      notes.append(
        "Trial \(best.number) is the best of \(scored) on the very images it is scored on\(images). Choosing it there is"
          + " selection: its score is flattered, the more so the more trials there are.")
      if let confirmed = record.metric == "acr" ? best.confirmedACR : best.confirmedAccuracy {
        notes.append(
          "On other images it has \(record.metric) \(String(format: "%.3f", confirmed)) (run"
            + " \(best.confirmRun.map { "\($0)" } ?? "?")): report that one.")
      } else if record.state == "running" {
        notes.append("The sweep is not over; the ranking may change.")
      } else {
        notes.append(
          "Before reporting it, certify its checkpoint \(best.checkpointDigest?.prefix(12) ?? "") on images that had no"
            + " say: rrcm run submit, or confirm in the sweep file (docs/sweeps.md).")
      }
      return notes
    }
  }
}
