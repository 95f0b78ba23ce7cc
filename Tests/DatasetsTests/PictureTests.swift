import Datasets
import Tensors
import Testing

@Suite("Pictures of images") struct PictureTests {
  @Test("a picture decodes to the very pixels the network is fed", arguments: [1, 3], [(5, 7), (33, 48), (64, 400)])
  func roundTrip(channels: Int, size: (height: Int, width: Int)) throws {
    let plane = size.height * size.width
    // Noise, so that the file is as large as it gets.
    var generator = SystemRandomNumberGenerator()
    let pixels = (0..<2 * channels * plane).map { _ in UInt8.random(in: 0...255, using: &generator) }
    let set = try ImageSet(
      name: "p", classNames: ["a"], channels: channels, height: size.height, width: size.width, images: Bytes(pixels),
      labels: [0, 0],
      splits: ["x", "x"], sources: ["0", "1"])
    for index in 0..<2 {
      let file = try #require(set.png(index))
      let decoded = try ImageDecoder.decode(Bytes(file), name: "p")
      #expect(decoded.width == size.width && decoded.height == size.height)
      let differing = (0..<plane * 3).count { j in
        decoded.pixels[j] != pixels[(index * channels + min(j % 3, channels - 1)) * plane + j / 3]
      }
      #expect(differing == 0)
    }
  }

  @Test("two channels have no picture")
  func twoChannels() throws {
    let set = try ImageSet(
      name: "p", classNames: ["a"], channels: 2, height: 1, width: 1, images: Bytes([1, 2]), labels: [0], splits: ["x"],
      sources: ["0"])
    #expect(set.png(0) == nil)
  }
}
