// See mad.h.
#include "cm/mad.h"

#include "wire/bytes.h"

namespace rocelab::cm {

using wire::load_be;
using wire::load_u8;
using wire::store_be;
using wire::store_u8;

MadHeader MadHeader::parse(std::span<const std::byte> bytes) {
  const std::byte* p = bytes.data();
  MadHeader header;
  header.base_version = load_u8(p);
  header.management_class = load_u8(p + 1);
  header.class_version = load_u8(p + 2);
  header.method = load_u8(p + 3);
  header.status = load_be<std::uint16_t>(p + 4);
  header.class_specific = load_be<std::uint16_t>(p + 6);
  header.transaction_id = load_be<std::uint64_t>(p + 8);
  header.attribute_id = load_be<std::uint16_t>(p + 16);
  header.attribute_modifier = load_be<std::uint32_t>(p + 20);
  return header;
}

void MadHeader::emit(std::span<std::byte> bytes) const {
  std::byte* p = bytes.data();
  store_u8(p, base_version);
  store_u8(p + 1, management_class);
  store_u8(p + 2, class_version);
  store_u8(p + 3, method);
  store_be(p + 4, status);
  store_be(p + 6, class_specific);
  store_be(p + 8, transaction_id);
  store_be(p + 16, attribute_id);
  store_be<std::uint16_t>(p + 18, 0);
  store_be(p + 20, attribute_modifier);
}

std::optional<std::uint32_t> receiver_of(std::span<const std::byte> mad) {
  if (mad.size() < kMadHeaderBytes + 8) return std::nullopt;
  const MadHeader header = MadHeader::parse(mad);
  if (header.management_class != kCmClass || header.class_version != kCmClassVersion) return std::nullopt;
  const auto attribute = static_cast<Attribute>(header.attribute_id);
  const auto at = [&mad](std::size_t offset) { return load_be<std::uint32_t>(mad.data() + kMadHeaderBytes + offset); };
  switch (attribute) {
    case Attribute::kSidrRep:
      return at(0);
    case Attribute::kMra:
    case Attribute::kRej:
    case Attribute::kRep:
    case Attribute::kRtu:
    case Attribute::kDreq:
    case Attribute::kDrep:
    case Attribute::kLap:
    case Attribute::kApr:
      if (const std::uint32_t id = at(4); id != 0) return id;
      return std::nullopt;
    case Attribute::kReq:
    case Attribute::kSidrReq:
      break;
  }
  return std::nullopt;
}

std::string_view to_string(Attribute attribute) {
  switch (attribute) {
    case Attribute::kReq:
      return "REQ";
    case Attribute::kMra:
      return "MRA";
    case Attribute::kRej:
      return "REJ";
    case Attribute::kRep:
      return "REP";
    case Attribute::kRtu:
      return "RTU";
    case Attribute::kDreq:
      return "DREQ";
    case Attribute::kDrep:
      return "DREP";
    case Attribute::kSidrReq:
      return "SIDR_REQ";
    case Attribute::kSidrRep:
      return "SIDR_REP";
    case Attribute::kLap:
      return "LAP";
    case Attribute::kApr:
      return "APR";
  }
  return "?";
}

}  // namespace rocelab::cm
