/// Figures that papers print, as reference rows beside one's own. Facts, each with the table it stands in.
///
/// From Lei et al., "Robust Representation Consistency Model via Contrastive Denoising" (ICLR 2025): Tables 1 and 2 hold,
/// per method, the best over noise levels at each radius; Tables 7 to 9 each pair of training and evaluation sigma.
package struct PublishedResults: Sendable {
  /// `CIFAR-10`, for people.
  package let images: String
  /// How they were made, as far as it differs between rows.
  package let protocolNote: String
  package let radii: [Double]
  /// Methods with the best over sigma, as Tables 1 and 2 list them.
  package let methods: [Method]
  /// Pairs of sigmas, as Tables 7 to 9 list them.
  package let grids: [Grid]

  package struct Method: Sendable {
    package let name: String
    /// `Table 2`.
    package let source: String
    /// As printed; nil where the paper has none.
    package let latency: String?
    /// Percent, one per radius; nil where the paper has none.
    package let accuracy: [Double?]
  }

  package struct Grid: Sendable {
    package let name: String
    package let source: String
    package let rows: [Row]
  }

  package struct Row: Sendable {
    package let train: String
    package let eval: String
    /// Per mille: of the fractions that the paper prints with three decimals.
    package let accuracy: [Int]
  }

  /// Those for an image set of this name; nil where none are known.
  package static func matching(dataset name: String) -> PublishedResults? {
    let letters = String(name.lowercased().filter { $0.isLetter || $0.isNumber })
    if letters.contains("cifar10") && !letters.contains("cifar100") { return cifar10 }
    return letters.contains("imagenet") ? imageNet : nil
  }

  /// `cifar10` or `imagenet`.
  package static func named(_ name: String) -> PublishedResults? { ["cifar10": cifar10, "imagenet": imageNet][name] }

  private static func grid(_ name: String, _ source: String, _ values: [[Int]]) -> Grid {
    let sigmas = ["0.25", "0.5", "1"]
    let pairs = sigmas.flatMap { train in sigmas.map { (train, $0) } }
    return Grid(name: name, source: source, rows: zip(pairs, values).map { Row(train: $0.0, eval: $0.1, accuracy: $1) })
  }

  private static func methods(_ source: String, _ rows: [(String, String?, [Double?])]) -> [Method] {
    rows.map { Method(name: $0.0, source: source, latency: $0.1, accuracy: $0.2) }
  }

  package static let cifar10 = PublishedResults(
    images: "CIFAR-10", protocolNote: "n = 100,000", radii: [0, 0.25, 0.5, 0.75, 1],
    methods: methods(
      "Table 2",
      [
        ("Gaussian", "4s", [83.0, 61.0, 43.0, 32.0, 22.0]), ("Consistency", "4s", [77.8, 68.8, 58.1, 48.5, 37.8]),
        ("SmoothAdv", "4s", [82.0, 68.0, 54.0, 41.0, 32.0]), ("Boosting", "40s", [83.4, 70.6, 60.4, 52.4, 38.8]),
        ("MACER", "4s", [81.0, 71.0, 59.0, 46.0, 38.0]), ("SmoothMix", "4s", [77.1, 67.9, 57.9, 47.7, 37.2]),
        ("DDS", "52s", [79.8, 69.9, 55.0, 47.6, 37.4]), ("DiffSmooth", "3m34s", [78.2, 67.2, 59.2, 47.0, 37.4]),
        ("rRCM-B", "16s", [83.6, 73.4, 61.4, 48.0, 39.2]),
      ]),
    grids: [
      grid(
        "rRCM-B", "Table 9",
        [
          [836, 734, 614, 458, 0], [728, 638, 540, 438, 336], [518, 460, 378, 312, 246], [798, 712, 614, 480, 0],
          [686, 622, 520, 444, 364], [492, 436, 378, 340, 278], [722, 652, 576, 476, 0], [618, 556, 500, 444, 392],
          [500, 446, 408, 356, 296],
        ])
    ])

  package static let imageNet = PublishedResults(
    images: "ImageNet",
    protocolNote: "n = 100,000, of DDS, DensePure and DiffSmooth 10,000, unless a row says otherwise",
    radii: [0, 0.5, 1, 1.5, 2, 2.5],
    methods: methods(
      "Table 1",
      [
        ("Gaussian", "1m20s", [67.0, 49.0, 37.0, 29.0, 19.0, 15.0]),
        ("Consistency", "1m20s", [55.0, 50.0, 44.0, 34.0, 24.0, 21.0]),
        ("SmoothAdv", "1m20s", [67.0, 56.0, 43.0, 37.0, 27.0, 25.0]),
        ("Boosting", "4m", [65.6, 57.0, 44.6, 38.4, 28.6, 24.6]),
        ("MACER", "1m20s", [68.0, 57.0, 43.0, 31.0, 25.0, 18.0]),
        ("SmoothMix", "1m20s", [55.0, 50.0, 43.0, 38.0, 26.0, 24.0]),
        ("Denoised", nil, [60.0, 33.0, 14.0, 6.0, nil, nil]), ("DDS", "3m52s", [76.2, 61.0, 41.4, 28.0, 21.2, 17.2]),
        ("DensePure K=1", "17m8s", [76.6, 57.0, 38.0, 22.2, 17.0, 13.2]),
        ("DensePure K=5", "52m20s", [77.8, 64.6, 38.4, 23.0, 18.4, 14.0]),
        ("DiffSmooth m=5", "4m41s", [70.1, 59.7, 34.7, 24.8, 18.0, 13.8]),
        ("DiffSmooth m=10", "5m10s", [70.0, 61.4, 36.0, 26.4, 20.8, 18.0]),
        ("DiffSmooth m=15", "5m35s", [69.8, 62.2, 36.4, 28.2, 21.6, 19.2]),
        ("rRCM-B, n=10000", "6s", [76.6, 62.6, 45.2, 33.8, 27.0, 22.0]),
        ("rRCM-B, n=100000", "53s", [76.8, 63.0, 45.6, 34.8, 28.0, 22.6]),
        ("rRCM-B-Deep, n=100000", "1m41s", [77.4, 64.0, 51.2, 40.0, 32.6, 25.0]),
      ]),
    grids: [
      grid(
        "rRCM-B", "Table 7",
        [
          [768, 630, 0, 0, 0, 0], [616, 476, 382, 230, 0, 0], [376, 294, 222, 168, 120, 78], [694, 586, 0, 0, 0, 0],
          [672, 566, 456, 346, 0, 0], [494, 392, 322, 266, 218, 156], [674, 554, 0, 0, 0, 0],
          [632, 540, 442, 346, 0, 0], [532, 462, 396, 348, 280, 226],
        ]),
      grid(
        "rRCM-B-Deep", "Table 8",
        [
          [774, 640, 0, 0, 0, 0], [692, 552, 430, 320, 0, 0], [502, 412, 338, 258, 202, 138], [718, 612, 0, 0, 0, 0],
          [682, 592, 512, 400, 0, 0], [562, 498, 412, 340, 266, 214], [678, 604, 0, 0, 0, 0],
          [668, 594, 486, 400, 0, 0], [572, 510, 434, 372, 326, 250],
        ]),
    ])
}
