/// The shape of one rRCM vision transformer (spec section 2.6) and of what is attached to it.
///
/// The network is fixed but for these numbers. Head count and final norm are not recorded in the authors' files,
/// so an importer must be told them.
package struct ViTConfiguration: Sendable, Hashable, Codable {
  /// Image side S in pixels; a multiple of `patchSize`.
  package var imageSize: Int
  /// Patch side p.
  package var patchSize: Int
  /// Image channels C: 3 for colour, 1 for grey digits.
  package var channels: Int
  /// Token width d; a multiple of `heads`.
  package var width: Int
  /// Number of transformer blocks L.
  package var depth: Int
  /// Attention heads H.
  package var heads: Int
  /// Hidden width of a block's MLP is `mlpRatio · width`.
  package var mlpRatio: Int
  /// Projector hidden width h; 0 when the network carries no projector.
  package var projectorHidden: Int
  /// Projector output width o; 0 when the network carries no projector.
  package var projectorOutput: Int
  /// Classes K of the linear head; 0 when there is none (a pre-trained encoder).
  package var classes: Int
  /// Whether the final LayerNorm is applied before the head (ImageNet: true, CIFAR-10: false; spec 2.1).
  package var finalNorm: Bool
  /// Number of noise levels in the classifier's grid (spec 4.3): 81 for the published checkpoints.
  package var levels: Int

  package init(
    imageSize: Int, patchSize: Int, channels: Int = 3, width: Int, depth: Int, heads: Int, mlpRatio: Int = 4,
    projectorHidden: Int = 0, projectorOutput: Int = 0, classes: Int = 0, finalNorm: Bool = false, levels: Int = 81
  ) {
    self.imageSize = imageSize
    self.patchSize = patchSize
    self.channels = channels
    self.width = width
    self.depth = depth
    self.heads = heads
    self.mlpRatio = mlpRatio
    self.projectorHidden = projectorHidden
    self.projectorOutput = projectorOutput
    self.classes = classes
    self.finalNorm = finalNorm
    self.levels = levels
  }

  /// Patches along one side, n = S/p.
  package var grid: Int { imageSize / patchSize }
  /// Patches N = n².
  package var patches: Int { grid * grid }
  /// Tokens T = N + 2: class token, time token, patches.
  package var tokens: Int { patches + 2 }
  /// Head width d/H.
  package var headWidth: Int { width / heads }
  /// Hidden width of a block's MLP.
  package var mlpHidden: Int { mlpRatio * width }
  /// Elements of one image, C·S².
  package var imageElements: Int { channels * imageSize * imageSize }
  /// Elements of one patch, C·p².
  package var patchElements: Int { channels * patchSize * patchSize }
  package var hasProjector: Bool { projectorHidden > 0 }

  /// Everything wrong with these numbers, one sentence each; empty when the network can be built.
  package var problems: [String] {
    var found: [String] = []
    func require(_ holds: Bool, _ sentence: @autoclosure () -> String) { if !holds { found.append(sentence()) } }
    require(patchSize >= 1, "model.patch is \(patchSize); it must be at least 1")
    require(
      imageSize >= 1 && patchSize >= 1 && imageSize % max(patchSize, 1) == 0,
      "model.image is \(imageSize); it must be a positive multiple of model.patch (\(patchSize))")
    require((1...16).contains(channels), "model.channels is \(channels); it must be 1 to 16")
    require(
      heads >= 1 && width >= 1 && width % max(heads, 1) == 0,
      "model.width is \(width); it must be a positive multiple of model.heads (\(heads))")
    require((1...256).contains(depth), "model.depth is \(depth); it must be 1 to 256")
    require((1...16).contains(mlpRatio), "model.mlp_ratio is \(mlpRatio); it must be 1 to 16")
    require(
      (projectorHidden == 0) == (projectorOutput == 0) && projectorHidden >= 0 && projectorOutput >= 0,
      "model.projector needs both widths positive or both 0, not \(projectorHidden) and \(projectorOutput)")
    require(
      classes >= 0 && classes <= 32_767, "model.classes is \(classes); it must be 0 (no head) to 32767")
    require((2...100_000).contains(levels), "model.levels is \(levels); it must be 2 to 100000")
    return found
  }
}
