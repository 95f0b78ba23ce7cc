/// What a batch of images should be classified as.
package enum Labels: Sendable {
  /// One class index per image [B].
  case hard([Int])
  /// A distribution over classes per image [B, K], as mixup and label smoothing make.
  case soft([Float])

  /// Number of images.
  package func count(classes: Int) -> Int {
    switch self {
    case .hard(let labels): labels.count
    case .soft(let values): values.count / classes
    }
  }

  /// Weight of class `c` for image `i`.
  func weight(_ i: Int, _ c: Int, classes: Int) -> Double {
    switch self {
    case .hard(let labels): labels[i] == c ? 1 : 0
    case .soft(let values): Double(values[i * classes + c])
    }
  }

  /// The labels repeated `copies` times: [y; y; …], as noisy copies of a batch are laid out.
  func repeated(_ copies: Int) -> Labels {
    switch self {
    case .hard(let labels): .hard([[Int]](repeating: labels, count: copies).flatMap(\.self))
    case .soft(let values): .soft([[Float]](repeating: values, count: copies).flatMap(\.self))
    }
  }
}
