# Third-party targets. Debian's packages are found as usual; three more come from the folder that `make setup` fills:
#   deuteron::duckdb           libduckdb.so and duckdb.h
#   deuteron::nanoarrow        Arrow C structures and IPC encoder/decoder, static
#   deuteron::spark_protocol   generated Spark Connect messages and service, google.rpc.Status and error details, static

foreach(part duckdb nanoarrow spark_protocol)
  if(NOT EXISTS "${DEUTERON_DEPENDENCIES}/${part}")
    message(FATAL_ERROR "${DEUTERON_DEPENDENCIES}/${part} is missing: run `make setup`")
  endif()
endforeach()

find_package(Threads REQUIRED)
find_package(GTest REQUIRED)
find_package(benchmark REQUIRED)
find_package(spdlog REQUIRED)
find_package(zstd REQUIRED)
find_package(Protobuf REQUIRED)
find_package(gRPC CONFIG REQUIRED)
find_package(CLI11 CONFIG REQUIRED)
find_package(nlohmann_json CONFIG REQUIRED)
find_library(RE2_LIBRARY re2 REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(ZLIB REQUIRED)

add_library(deuteron::cli11 INTERFACE IMPORTED)
target_link_libraries(deuteron::cli11 INTERFACE CLI11::CLI11)
add_library(deuteron::json INTERFACE IMPORTED)
target_link_libraries(deuteron::json INTERFACE nlohmann_json::nlohmann_json)
add_library(deuteron::spdlog INTERFACE IMPORTED)
target_link_libraries(deuteron::spdlog INTERFACE spdlog::spdlog)
add_library(deuteron::re2 INTERFACE IMPORTED)
target_link_libraries(deuteron::re2 INTERFACE ${RE2_LIBRARY})
add_library(deuteron::zstd INTERFACE IMPORTED)
target_link_libraries(deuteron::zstd INTERFACE zstd::libzstd_shared)
add_library(deuteron::grpc INTERFACE IMPORTED)
target_link_libraries(deuteron::grpc INTERFACE gRPC::grpc++ protobuf::libprotobuf)

add_library(deuteron::duckdb SHARED IMPORTED)
file(REAL_PATH "${DEUTERON_DEPENDENCIES}/duckdb/lib" DUCKDB_LIBRARY_FOLDER)
set_target_properties(deuteron::duckdb PROPERTIES
  IMPORTED_LOCATION "${DEUTERON_DEPENDENCIES}/duckdb/lib/libduckdb.so"
  IMPORTED_NO_SONAME FALSE
  INTERFACE_INCLUDE_DIRECTORIES "${DEUTERON_DEPENDENCIES}/duckdb/include")
# A program looks for libduckdb.so beside itself (../lib) and then where the set-up put it.
set(CMAKE_BUILD_RPATH "$ORIGIN/../lib;${DUCKDB_LIBRARY_FOLDER}")

set(nanoarrow "${DEUTERON_DEPENDENCIES}/nanoarrow")
file(GLOB nanoarrow_sources "${nanoarrow}/src/*.c" "${nanoarrow}/flatcc/*.c")
add_library(deuteron_nanoarrow STATIC EXCLUDE_FROM_ALL ${nanoarrow_sources})
target_include_directories(deuteron_nanoarrow SYSTEM PUBLIC "${nanoarrow}/include")
target_compile_options(deuteron_nanoarrow PRIVATE -O2 -w)
target_compile_definitions(deuteron_nanoarrow PRIVATE NANOARROW_IPC_WITH_ZSTD)
target_link_libraries(deuteron_nanoarrow PRIVATE zstd::libzstd_shared)
set_target_properties(deuteron_nanoarrow PROPERTIES C_STANDARD 11)
add_library(deuteron::nanoarrow ALIAS deuteron_nanoarrow)

set(protocol "${DEUTERON_DEPENDENCIES}/spark_protocol")
file(GLOB_RECURSE protocol_sources "${protocol}/*.pb.cc")
add_library(deuteron_spark_protocol STATIC EXCLUDE_FROM_ALL ${protocol_sources})
target_include_directories(deuteron_spark_protocol SYSTEM PUBLIC "${protocol}")
# Generated code gets no more checks than libprotobuf itself, which comes without them. Fields that only older clients fill
# are marked deprecated; the server reads them.
target_compile_options(deuteron_spark_protocol PRIVATE -w -g0 INTERFACE -Wno-deprecated-declarations)
if(DEUTERON_SANITIZER)
  target_compile_options(deuteron_spark_protocol PRIVATE -fno-sanitize=all)
endif()
target_link_libraries(deuteron_spark_protocol PUBLIC gRPC::grpc++ protobuf::libprotobuf)
add_library(deuteron::spark_protocol ALIAS deuteron_spark_protocol)
