import Datasets
import Tensors
import Testing

@Suite("Pictures of images") struct PictureTests {
  @Test("a picture decodes to the very pixels the network is fed", arguments: [1, 3])
  func roundTrip(channels: Int) throws {
    let pixels = (0..<2 * channels * 5 * 7).map { UInt8(truncatingIfNeeded: $0 * 73 + 5) }
    let set = try ImageSet(
      name: "p", classNames: ["a"], channels: channels, height: 5, width: 7, images: Bytes(pixels), labels: [0, 0],
      splits: ["x", "x"], sources: ["0", "1"])
    for index in 0..<2 {
      let file = try #require(set.png(index))
      let decoded = try ImageDecoder.decode(Bytes(file), name: "p")
      #expect(decoded.width == 7 && decoded.height == 5)
      let plane = 35
      for i in 0..<plane {
        for c in 0..<3 {
          #expect(decoded.pixels[i * 3 + c] == pixels[(index * channels + min(c, channels - 1)) * plane + i])
        }
      }
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
