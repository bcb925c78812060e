// Packet I/O on capture files: replays what an interface received, records what it sends.
//
// Deterministic: a frame is received when the time given to advance() has reached its time stamp, counted from the
// first frame of all files; the frames of one file keep their order. No clock is read. Links are always up. Files are
// pcap or pcapng with Ethernet frames for reading; pcap with nanoseconds for writing, time since the start. Thread: as
// packet_io.h says; advance() control. A port may run on another thread than advance().
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/io/packet_io.h"
#include "trivet/result.h"
#include "trivet/time.h"

namespace trivet::core {

struct CapturedFrame {
  Duration at{};  // in the file: since 1970, or whatever its writer counted from
  std::vector<std::uint8_t> bytes;
};

// All frames of a capture file. Fails with a sentence when the file is missing, damaged, cut off inside a frame, or of
// another link type than Ethernet. A frame that was captured only in part is an error, too: it cannot be replayed.
[[nodiscard]] Result<std::vector<CapturedFrame>> read_capture(const std::filesystem::path& file);

// Writes frames to a capture file, which is complete after flush() and at the end. Thread: any, one call at a time.
class CaptureWriter {
 public:
  [[nodiscard]] static Result<CaptureWriter> create(const std::filesystem::path& file);
  CaptureWriter(CaptureWriter&&) noexcept;
  CaptureWriter& operator=(CaptureWriter&&) noexcept;
  CaptureWriter(const CaptureWriter&) = delete;
  CaptureWriter& operator=(const CaptureWriter&) = delete;
  ~CaptureWriter();

  void write(Duration at, std::span<const std::uint8_t> frame);
  [[nodiscard]] Result<void> flush();

 private:
  struct File;
  explicit CaptureWriter(std::unique_ptr<File> file);
  std::unique_ptr<File> file_;
};

struct CaptureFiles {
  std::optional<std::filesystem::path> receive;  // none: receives nothing
  std::optional<std::filesystem::path> send;     // none: what is sent is only counted
  MacAddress mac{{0x02, 0, 0, 0, 0, 0x01}};
  std::uint32_t mtu = 1500;
};

enum class ReplaySpeed {
  recorded,  // by time stamp, as advance() tells the time
  unlimited  // all frames are there at once
};

class PcapBackend : public IoBackend {
 public:
  // Reads all files at once, so that replaying does no file access. `interfaces` by the name in the configuration.
  [[nodiscard]] static Result<std::unique_ptr<PcapBackend>> create(
      const std::map<std::string, CaptureFiles>& interfaces, ReplaySpeed speed);
  PcapBackend(const PcapBackend&) = delete;
  PcapBackend& operator=(const PcapBackend&) = delete;
  ~PcapBackend() override;

  // It is `now`: frames up to it may be received, and what is sent from here on is stamped with it.
  void advance(Time now);
  // When the next frame of any open interface can be received that cannot be yet; never: no more.
  [[nodiscard]] Time next_frame_at() const;
  // True when every frame of every interface has been received.
  [[nodiscard]] bool finished() const;

  // The frames of an interface go to its first worker. An interface that is opened anew goes on where it was.
  Result<std::unique_ptr<InterfaceIo>> open(const InterfaceSpec& spec, std::size_t workers) override;
  [[nodiscard]] LinkInfo link(const std::string& name) override;
  void on_link_change(std::function<void(const std::string&)> handler) override;

 private:
  struct Interface;
  struct Clock;
  class Io;
  class Port;
  explicit PcapBackend(ReplaySpeed speed);

  std::shared_ptr<Clock> clock_;
  std::map<std::string, std::shared_ptr<Interface>> interfaces_;
};

}  // namespace trivet::core
