internal import Training
internal import Foundation
internal import Lifecycle
internal import Smoothing
package import Models
package import RunFile
package import Store

/// What becomes of a submitted run: a pure decision over what is stored.
package enum Planner {
  /// Decides on one run whose dependency, if any, has ended.
  package static func plan(_ run: SubmittedRun, images: DatasetRecord?, trainingImages: Int) -> RunPlan {
    if let dependency = run.dependency, run.dependencyState != "done" {
      return .refused(
        "run \(dependency), whose checkpoint this run needs, is \(run.dependencyState ?? "missing");"
          + " submit that run again, then this one")
    }
    let spec: RunSpec
    do { spec = try RunSpec(stored: run.spec) } catch {
      return .refused("the stored run file cannot be read by this version: \(error)")
    }
    guard let images else { return .refused("its image set is not recorded; import it again") }
    switch spec.work {
    case .pretrain(let training, _): return .job(steps: training.steps)
    case .finetune(let training, _):
      guard trainingImages >= training.batch else {
        return .refused(
          "training.batch is \(training.batch) but split \"\(spec.dataset.split)\" has \(trainingImages) images; lower it"
        )
      }
      if let problem = misfit(run, images: images, needsHead: false) { return .refused(problem) }
      return .job(steps: training.epochs * (trainingImages / training.batch))
    case .certify(let smoothing):
      if let problem = misfit(run, images: images, needsHead: true) { return .refused(problem) }
      let units = UnitPlan(n0: smoothing.n0, n: smoothing.n, chunkSamples: smoothing.chunkSamples)
      guard smoothing.certificateMode.stopsEarly else { return .items(units: units.unitCount) }
      let looks = LookPlan.looks(chunks: units.unitCount - 1)
      return .items(units: units.unitCount, claimable: LookPlan.claimableUnits(looks: looks, decided: 0))
    }
  }

  /// Why a run's checkpoint does not fit its images; nil when it does.
  package static func misfit(_ run: SubmittedRun, images: DatasetRecord, needsHead: Bool) -> String? {
    guard let text = run.configuration else {
      return "it has no checkpoint: run \(run.dependency.map { String($0) } ?? "?") made none"
    }
    guard let model = try? JSONDecoder().decode(ViTConfiguration.self, from: Data(text.utf8)) else {
      return "its checkpoint's configuration cannot be read by this version"
    }
    return misfit(model: model, kind: run.checkpointKind ?? "", images: images, needsHead: needsHead)
  }

  /// Why a network does not fit an image set; nil when it does.
  package static func misfit(
    model: ViTConfiguration, kind: String, images: DatasetRecord, needsHead: Bool
  ) -> String? {
    if model.channels != images.channels || model.imageSize != images.height || model.imageSize != images.width {
      return "the checkpoint takes images of \(model.channels)×\(model.imageSize)×\(model.imageSize) and image set"
        + " \"\(images.name)\" has \(images.channels)×\(images.height)×\(images.width); import the images at that size"
    }
    if needsHead && model.classes == 0 {
      return "the checkpoint is \(kind), without a linear head; fine-tune it first, then certify that checkpoint"
    }
    if needsHead && model.classes < images.classes.count {
      return "the checkpoint knows \(model.classes) classes and image set \"\(images.name)\" has"
        + " \(images.classes.count); use the image set it was fine-tuned for"
    }
    return nil
  }
}

extension RunSpec {
  /// Reads a stored run file.
  package init(stored json: String) throws {
    self = try RunFile.parse(json)
  }
}
