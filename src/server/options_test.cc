#include "server/options.h"

#include <gtest/gtest.h>

#include "base/byte_size.h"

namespace deuteron::server {
namespace {

TEST(Options, LoopbackNeedsNothing) {
  for (const char* host : {"127.0.0.1", "localhost", "::1", "127.8.9.10"}) {
    Options options;
    options.host = host;
    EXPECT_TRUE(check(options).ok()) << host;
  }
}

TEST(Options, SettingsAreKeysAndValues) {
  Options options;
  options.settings = {"spark.scheduler.mode=FAIR", "a=b=c", "a=d", "empty="};
  EXPECT_TRUE(check(options).ok());
  EXPECT_EQ(settings_of(options), (std::map<std::string, std::string>{
                                      {"a", "d"}, {"empty", ""}, {"spark.scheduler.mode", "FAIR"}}));
  for (const char* wrong : {"spark.scheduler.mode", "=FAIR", ""}) {
    options.settings = {wrong};
    EXPECT_EQ(check(options).condition(), "INVALID_OPTION") << wrong;
  }
}

TEST(Options, OtherAddressesNeedTokenAndTls) {
  Options options;
  options.host = "0.0.0.0";
  EXPECT_EQ(check(options).condition(), "INVALID_OPTION");
  options.token = "secret";
  EXPECT_EQ(check(options).condition(), "INVALID_OPTION");
  options.tls_certificate = "certificate.pem";
  options.tls_key = "key.pem";
  EXPECT_TRUE(check(options).ok());
  Options insecure;
  insecure.host = "0.0.0.0";
  insecure.insecure = true;
  EXPECT_TRUE(check(insecure).ok());
}

TEST(Options, ReadsSizesOfMemory) {
  EXPECT_EQ(*parse_byte_size("1000000"), 1000000u);
  EXPECT_EQ(*parse_byte_size("4g"), uint64_t{4} << 30);
  EXPECT_EQ(*parse_byte_size("512MB"), uint64_t{512} << 20);
  EXPECT_EQ(*parse_byte_size("1.5GiB"), uint64_t{3} << 29);
  for (const char* text : {"", "GB", "-1GB", "4 bananas", "0"}) {
    EXPECT_EQ(parse_byte_size(text).status().condition(), "INVALID_OPTION") << text;
  }
}

TEST(Options, WritesIpv6AddressesInBrackets) {
  Options options;
  options.host = "::1";
  options.port = 7;
  EXPECT_EQ(listen_address(options), "[::1]:7");
}

}  // namespace
}  // namespace deuteron::server
