/// A dense float32 array on the host, row-major.
///
/// The compute backends keep their own storage; this is what crosses their border and what files hold.
package struct Tensor: Sendable, Equatable {
  /// Lengths of the axes, outermost first. Empty for a scalar.
  package var shape: [Int]
  /// `shape` product values in row-major order.
  package var values: [Float]

  /// - Precondition: `values.count` is the product of `shape`.
  package init(shape: [Int], values: [Float]) {
    precondition(shape.reduce(1, *) == values.count, "shape \(shape) does not hold \(values.count) values")
    self.shape = shape
    self.values = values
  }

  /// A tensor of one repeated value.
  package init(shape: [Int], repeating value: Float = 0) {
    self.init(shape: shape, values: [Float](repeating: value, count: shape.reduce(1, *)))
  }

  package var count: Int { values.count }
}

/// Where tensors come from by name: a `StateDict` in memory, or a file that is read as they are asked for.
package protocol TensorSource {
  /// The tensor, nil where there is none of that name.
  subscript(name: String) -> Tensor? { get }
  /// Its shape, without reading its values.
  func shape(of name: String) -> [Int]?
}

/// Named tensors in a stable order: a network's parameters and buffers, or an optimizer's moments.
package struct StateDict: TensorSource, Sendable, Equatable {
  /// Names in insertion order.
  package private(set) var names: [String] = []
  private var tensors: [String: Tensor] = [:]

  package init() {}

  package init(_ pairs: [(String, Tensor)]) {
    for (name, tensor) in pairs { self[name] = tensor }
  }

  package subscript(name: String) -> Tensor? {
    get { tensors[name] }
    set {
      if newValue == nil {
        names.removeAll { $0 == name }
      } else if tensors[name] == nil {
        names.append(name)
      }
      tensors[name] = newValue
    }
  }

  package func shape(of name: String) -> [Int]? { tensors[name]?.shape }

  package var count: Int { names.count }

  /// Pairs in insertion order.
  package var pairs: [(name: String, tensor: Tensor)] { names.map { ($0, tensors[$0]!) } }
}
