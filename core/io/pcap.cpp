#include "core/io/pcap.h"

#include <pcap/pcap.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>

namespace trivet::core {

namespace {

constexpr int longest_frame = 262144;  // what a capture file of Ethernet frames announces as its limit
constexpr std::uint64_t nanoseconds_per_second = 1'000'000'000;

struct ClosePcap {
  void operator()(pcap_t* file) const noexcept { pcap_close(file); }
  void operator()(pcap_dumper_t* file) const noexcept { pcap_dump_close(file); }
};
using PcapHandle = std::unique_ptr<pcap_t, ClosePcap>;

Duration time_of(const pcap_pkthdr& header) {
  // Opened with nanosecond precision: the field of microseconds holds nanoseconds.
  return std::chrono::seconds{header.ts.tv_sec} + std::chrono::nanoseconds{header.ts.tv_usec};
}

}  // namespace

Result<std::vector<CapturedFrame>> read_capture(const std::filesystem::path& file) {
  char problem[PCAP_ERRBUF_SIZE] = {};
  const PcapHandle capture{pcap_open_offline_with_tstamp_precision(file.c_str(), PCAP_TSTAMP_PRECISION_NANO, problem)};
  if (capture == nullptr) return fail("cannot read the capture file " + file.string() + ": " + problem);
  if (pcap_datalink(capture.get()) != DLT_EN10MB) {
    return fail("the capture file " + file.string() + " does not hold Ethernet frames");
  }
  std::vector<CapturedFrame> frames;
  pcap_pkthdr* header = nullptr;
  const std::uint8_t* bytes = nullptr;
  int status = 0;
  while ((status = pcap_next_ex(capture.get(), &header, &bytes)) == 1) {
    if (header->caplen != header->len) {
      return fail("frame " + std::to_string(frames.size() + 1) + " of the capture file " + file.string() +
                  " was captured only in part");
    }
    frames.push_back({time_of(*header), {bytes, bytes + header->caplen}});
  }
  if (status == PCAP_ERROR) {
    return fail("the capture file " + file.string() + " is damaged: " + pcap_geterr(capture.get()));
  }
  return frames;
}

struct CaptureWriter::File {
  PcapHandle format;
  std::unique_ptr<pcap_dumper_t, ClosePcap> dumper;
  std::string name;
};

CaptureWriter::CaptureWriter(std::unique_ptr<File> file) : file_(std::move(file)) {}
CaptureWriter::CaptureWriter(CaptureWriter&&) noexcept = default;
CaptureWriter& CaptureWriter::operator=(CaptureWriter&&) noexcept = default;
CaptureWriter::~CaptureWriter() = default;

Result<CaptureWriter> CaptureWriter::create(const std::filesystem::path& file) {
  auto result = std::make_unique<File>();
  result->name = file.string();
  result->format.reset(pcap_open_dead_with_tstamp_precision(DLT_EN10MB, longest_frame, PCAP_TSTAMP_PRECISION_NANO));
  if (result->format == nullptr) return fail("cannot make a capture file");
  result->dumper.reset(pcap_dump_open(result->format.get(), file.c_str()));
  if (result->dumper == nullptr) {
    return fail("cannot write the capture file " + file.string() + ": " + pcap_geterr(result->format.get()));
  }
  return CaptureWriter{std::move(result)};
}

void CaptureWriter::write(Duration at, std::span<const std::uint8_t> frame) {
  const auto nanoseconds = static_cast<std::uint64_t>(std::max(at, Duration::zero()).count());
  pcap_pkthdr header{};
  header.ts.tv_sec = static_cast<time_t>(nanoseconds / nanoseconds_per_second);
  header.ts.tv_usec = static_cast<suseconds_t>(nanoseconds % nanoseconds_per_second);
  header.caplen = static_cast<bpf_u_int32>(frame.size());
  header.len = header.caplen;
  pcap_dump(reinterpret_cast<u_char*>(file_->dumper.get()), &header, frame.data());
}

Result<void> CaptureWriter::flush() {
  if (pcap_dump_flush(file_->dumper.get()) != 0 || std::ferror(pcap_dump_file(file_->dumper.get())) != 0) {
    return fail("cannot write the capture file " + file_->name);
  }
  return {};
}

// What advance() tells to the ports.
struct PcapBackend::Clock {
  explicit Clock(ReplaySpeed replay_speed) : speed(replay_speed) {}
  const ReplaySpeed speed;
  Duration first_frame{};  // set before anything is open
  std::atomic<Duration> now = Duration::zero();

  [[nodiscard]] Duration due(const CapturedFrame& frame) const { return frame.at - first_frame; }
  [[nodiscard]] bool is_due(const CapturedFrame& frame) const {
    return speed == ReplaySpeed::unlimited || due(frame) <= now.load(std::memory_order_acquire);
  }
};

struct PcapBackend::Interface {
  std::vector<CapturedFrame> frames;
  std::atomic<std::size_t> next = 0;  // written by the first worker's port
  MacAddress mac;
  std::uint32_t mtu = 1500;
  std::mutex recording;  // of several workers that send
  std::optional<CaptureWriter> writer;
  bool open = false;
};

class PcapBackend::Port : public PacketPort {
 public:
  Port(std::shared_ptr<Clock> clock, std::shared_ptr<Interface> interface, bool receives)
      : clock_(std::move(clock)), interface_(std::move(interface)), receives_(receives) {}

  std::size_t receive(PacketPool& pool, std::span<Packet*> out) noexcept override;
  void transmit(PacketPool& pool, std::span<Packet* const> packets) noexcept override;
  [[nodiscard]] std::vector<int> poll_fds() const override { return {}; }
  [[nodiscard]] PortCounters counters() const noexcept override {
    PortCounters counters;
    counters.rx_frames = rx_frames_.load(std::memory_order_relaxed);
    counters.rx_bytes = rx_bytes_.load(std::memory_order_relaxed);
    counters.rx_dropped = rx_dropped_.load(std::memory_order_relaxed);
    counters.tx_frames = tx_frames_.load(std::memory_order_relaxed);
    counters.tx_bytes = tx_bytes_.load(std::memory_order_relaxed);
    return counters;
  }

 private:
  const std::shared_ptr<Clock> clock_;
  const std::shared_ptr<Interface> interface_;
  const bool receives_;
  std::atomic<std::uint64_t> rx_frames_ = 0;
  std::atomic<std::uint64_t> rx_bytes_ = 0;
  std::atomic<std::uint64_t> rx_dropped_ = 0;
  std::atomic<std::uint64_t> tx_frames_ = 0;
  std::atomic<std::uint64_t> tx_bytes_ = 0;
};

std::size_t PcapBackend::Port::receive(PacketPool& pool, std::span<Packet*> out) noexcept {
  if (!receives_) return 0;
  const std::vector<CapturedFrame>& frames = interface_->frames;
  std::size_t next = interface_->next.load(std::memory_order_relaxed);
  std::size_t count = 0;
  for (; count < out.size() && next < frames.size() && clock_->is_due(frames[next]); ++next) {
    const std::vector<std::uint8_t>& bytes = frames[next].bytes;
    Packet* packet = pool.acquire(bytes.size());
    if (packet == nullptr) {
      // Buffers come back; a frame that is larger than any never fits.
      if (pool.available_small() == 0 || pool.available_large() == 0) break;
      rx_dropped_.fetch_add(1, std::memory_order_relaxed);
      continue;
    }
    std::memcpy(packet->data, bytes.data(), bytes.size());
    packet->length = static_cast<std::uint32_t>(bytes.size());
    out[count++] = packet;
    rx_frames_.fetch_add(1, std::memory_order_relaxed);
    rx_bytes_.fetch_add(bytes.size(), std::memory_order_relaxed);
  }
  interface_->next.store(next, std::memory_order_release);
  return count;
}

void PcapBackend::Port::transmit(PacketPool& pool, std::span<Packet* const> packets) noexcept {
  if (interface_->writer) {
    const std::scoped_lock lock{interface_->recording};
    const Duration now = clock_->now.load(std::memory_order_acquire);
    for (const Packet* packet : packets) interface_->writer->write(now, packet->frame());
  }
  for (Packet* packet : packets) {
    tx_frames_.fetch_add(1, std::memory_order_relaxed);
    tx_bytes_.fetch_add(packet->length, std::memory_order_relaxed);
    pool.release(packet);
  }
}

class PcapBackend::Io : public InterfaceIo {
 public:
  Io(const std::shared_ptr<Clock>& clock, std::shared_ptr<Interface> interface, std::size_t workers)
      : interface_(std::move(interface)) {
    interface_->open = true;
    for (std::size_t worker = 0; worker < std::max<std::size_t>(workers, 1); ++worker) {
      ports_.push_back(std::make_unique<Port>(clock, interface_, worker == 0));
    }
  }
  Io(const Io&) = delete;
  Io& operator=(const Io&) = delete;
  ~Io() override {
    // What cannot be written is not tried again by who opens the interface next.
    if (interface_->writer && !interface_->writer->flush()) interface_->writer.reset();
    interface_->open = false;
  }

  PacketPort& port(std::size_t worker) override { return *ports_.at(worker); }
  // A capture holds what was on the wire; the door decides as it would with an interface that lets everything in.
  void set_mac_filter(const std::vector<MacAddress>& addresses) override { static_cast<void>(addresses); }

 private:
  std::shared_ptr<Interface> interface_;
  std::vector<std::unique_ptr<Port>> ports_;
};

PcapBackend::PcapBackend(ReplaySpeed speed) : clock_(std::make_shared<Clock>(speed)) {}
PcapBackend::~PcapBackend() = default;

Result<std::unique_ptr<PcapBackend>> PcapBackend::create(const std::map<std::string, CaptureFiles>& interfaces,
                                                         ReplaySpeed speed) {
  std::unique_ptr<PcapBackend> backend{new PcapBackend{speed}};
  std::optional<Duration> first_frame;
  for (const auto& [name, files] : interfaces) {
    auto interface = std::make_shared<Interface>();
    interface->mac = files.mac;
    interface->mtu = files.mtu;
    if (files.receive) {
      auto frames = read_capture(*files.receive);
      if (!frames) return std::unexpected(frames.error());
      interface->frames = std::move(*frames);
      for (const CapturedFrame& frame : interface->frames) {
        first_frame = first_frame ? std::min(*first_frame, frame.at) : frame.at;
      }
    }
    if (files.send) {
      auto writer = CaptureWriter::create(*files.send);
      if (!writer) return std::unexpected(writer.error());
      interface->writer = std::move(*writer);
    }
    backend->interfaces_.emplace(name, std::move(interface));
  }
  backend->clock_->first_frame = first_frame.value_or(Duration::zero());
  return backend;
}

void PcapBackend::advance(Time now) { clock_->now.store(now.time_since_epoch(), std::memory_order_release); }

Time PcapBackend::next_frame_at() const {
  Time next = never;
  for (const auto& [name, interface] : interfaces_) {
    const std::size_t at = interface->next.load(std::memory_order_acquire);
    if (!interface->open || at >= interface->frames.size() || clock_->is_due(interface->frames[at])) continue;
    next = std::min(next, Time{clock_->due(interface->frames[at])});
  }
  return next;
}

bool PcapBackend::finished() const {
  return std::ranges::all_of(interfaces_, [](const auto& entry) {
    return entry.second->next.load(std::memory_order_acquire) >= entry.second->frames.size();
  });
}

Result<std::unique_ptr<InterfaceIo>> PcapBackend::open(const InterfaceSpec& spec, std::size_t workers) {
  const auto found = interfaces_.find(spec.name);
  if (found == interfaces_.end()) return fail("there is no capture file for interface " + spec.name);
  if (found->second->open) return fail("interface " + spec.name + " is already taken");
  return std::make_unique<Io>(clock_, found->second, workers);
}

LinkInfo PcapBackend::link(const std::string& name) {
  const auto found = interfaces_.find(name);
  if (found == interfaces_.end()) return {};
  return {.exists = true, .carrier = true, .mac = found->second->mac, .mtu = found->second->mtu, .index = 0};
}

// Links of capture files never change.
void PcapBackend::on_link_change(std::function<void(const std::string&)> handler) { static_cast<void>(handler); }

}  // namespace trivet::core
