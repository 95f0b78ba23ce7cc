package import Compute
import ComputeCPU

/// What came of comparing with a folder of reference files.
package struct GoldenSummary: Sendable, Equatable {
  package var passed: [String] = []
  package var failed: [String] = []
  /// Files and parts of files that nothing was compared with.
  package var notChecked: [String] = []

  /// Whether a command must report failure: something failed, or nothing ran.
  package var isFailure: Bool { !failed.isEmpty || passed.isEmpty }
}

/// Compares this program's mathematics with every reference file of a folder, found by the patterns of their names.
///
/// Shapes, names of models, numbers of steps and hyper-parameters are read from the files. A file that cannot be read
/// fails its check; a file that no kind recognises is listed as not checked.
///
/// - Parameters:
///   - directory: the folder.
///   - device: where the network runs; nil for this machine's CPU.
///   - print: takes one line at a time; the last one names what passed, failed and was not checked.
package func verifyGolden(
  directory: String, device: (any Device)? = nil, print: (String) -> Void
) -> GoldenSummary {
  var summary = GoldenSummary()
  do {
    let folder = try GoldenFolder(path: directory)
    let context = GoldenContext(folder: folder, device: try device ?? CPUDevice())
    for kind in GoldenKind.all {
      for name in folder.names {
        guard let subject = kind.subject(name) else { continue }
        folder.claim(name)
        var check = GoldenCheck(subject)
        do { try kind.run(context, subject, &check) } catch { check.fail("\(error)") }
        if check.problem == nil && check.rows.isEmpty && check.skipped.isEmpty {
          check.fail("the file holds nothing that could be compared")
        }
        check.print(to: print)
        if check.problem == nil && check.rows.isEmpty {
          summary.notChecked.append(subject)
        } else if check.passes {
          summary.passed.append(subject)
          summary.notChecked += check.skipped.map { "\(subject):\($0.part)" }
        } else {
          summary.failed.append(subject)
        }
      }
    }
    for name in folder.names where !folder.used.contains(name) && !name.lowercased().hasPrefix("readme") {
      print("----  \(name): not checked, no kind recognises it")
      summary.notChecked.append(name)
    }
  } catch {
    print("\(error)")
  }
  func list(_ names: [String]) -> String { names.isEmpty ? "" : " (\(names.joined(separator: ", ")))" }
  print(
    "passed \(summary.passed.count)\(list(summary.passed)); failed \(summary.failed.count)\(list(summary.failed));"
      + " not checked \(summary.notChecked.count)\(list(summary.notChecked))")
  return summary
}

/// What every check has at hand.
struct GoldenContext {
  let folder: GoldenFolder
  let device: any Device
}

/// One kind of reference file.
struct GoldenKind {
  /// The check's name when a file of this name starts one, else nil.
  let subject: (_ fileName: String) -> String?
  let run: (GoldenContext, _ subject: String, inout GoldenCheck) throws -> Void

  /// Files `PREFIX….EXTENSION`; those with one of the excluded prefixes belong to another kind.
  static func files(
    _ prefix: String, _ suffix: String, except: [String] = [],
    _ run: @escaping (GoldenContext, String, inout GoldenCheck) throws -> Void
  ) -> GoldenKind {
    GoldenKind(
      subject: { name in
        guard name.hasPrefix(prefix), name.hasSuffix(suffix), !except.contains(where: { name.hasPrefix($0) }) else {
          return nil
        }
        return String(name.dropLast(suffix.count))
      }, run: run)
  }

  static var all: [GoldenKind] {
    [
      .files("schedules", ".json", checkSchedules),
      .files("time_embedding", ".safetensors", checkTimeEmbedding),
      .files("forward_", ".safetensors", checkForward),
      .files("finetune_forward_", ".safetensors", checkFinetuneForward),
      .files("contrastive", ".safetensors", checkContrastive),
      .files("finetune_losses", ".json", checkFinetuneLosses),
      .files("pretrain", ".json", checkPretrain),
      .files("finetune", ".json", except: ["finetune_losses"], checkFinetune),
      .files("certify", ".json", checkCertify),
      .files("clopper_pearson", ".json", checkClopperPearson),
      .files("checkpoint_", ".json", checkCheckpoint),
      .files("image_ops", ".safetensors", checkImageOps),
      .files("mixup", ".safetensors", checkMixup),
    ]
  }
}
