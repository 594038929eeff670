# The library for other programs, shared and static, made of slbsr_core: slbsr.h is its interface, and of its symbols
# none is seen but those that slbsr.h declares. The program does not use it.
include(GNUInstallDirs)
file(STRINGS src/slbsr.h versions REGEX "^#define SLBSR_VERSION_(MAJOR|MINOR|PATCH) ")
list(TRANSFORM versions REPLACE "^.* " "")
list(JOIN versions "." header_version)
if(NOT header_version VERSION_EQUAL PROJECT_VERSION)
  message(FATAL_ERROR "src/slbsr.h says version ${header_version}, CMakeLists.txt ${PROJECT_VERSION}")
endif()

add_library(slbsr_shared SHARED $<TARGET_OBJECTS:slbsr_core>)
set_target_properties(slbsr_shared PROPERTIES OUTPUT_NAME slbsr EXPORT_NAME slbsr VERSION ${PROJECT_VERSION}
  SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR} # before 1.0 a minor version may break things
  PUBLIC_HEADER src/slbsr.h)
target_include_directories(slbsr_shared INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_link_libraries(slbsr_shared PRIVATE $<BUILD_INTERFACE:slbsr_flags> ZLIB::ZLIB OpenMP::OpenMP_C Threads::Threads
                      PkgConfig::CJSON m)
target_link_options(slbsr_shared PRIVATE -Wl,-z,defs -Wl,--as-needed)
if(SLBSR_SANITIZE)
  target_link_options(slbsr_shared PRIVATE -Wl,-z,undefs) # the sanitizers' own symbols come with the program
endif()

# One object, so that hidden symbols can become local ones: an archive has no other way to hide them.
set(archive ${CMAKE_BINARY_DIR}/libslbsr.a)
add_custom_command(OUTPUT ${archive}
  COMMAND ${CMAKE_LINKER} -r -o ${CMAKE_BINARY_DIR}/slbsr.o $<TARGET_OBJECTS:slbsr_core>
  COMMAND ${CMAKE_OBJCOPY} --localize-hidden ${CMAKE_BINARY_DIR}/slbsr.o
  COMMAND ${CMAKE_COMMAND} -E rm -f ${archive}
  COMMAND ${CMAKE_AR} qcs ${archive} ${CMAKE_BINARY_DIR}/slbsr.o
  DEPENDS slbsr_core $<TARGET_OBJECTS:slbsr_core>
  COMMAND_EXPAND_LISTS VERBATIM COMMENT "Linking libslbsr.a")
add_custom_target(slbsr_static ALL DEPENDS ${archive})

install(TARGETS slbsr_shared EXPORT slbsr
  LIBRARY COMPONENT library NAMELINK_COMPONENT development PUBLIC_HEADER COMPONENT development)
install(FILES ${archive} DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)

# How others find it: pkg-config and find_package(slbsr). Both reckon from where they lie, so that
# `cmake --install --prefix` may put them anywhere.
set(SLBSR_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/slbsr)
if(IS_ABSOLUTE ${CMAKE_INSTALL_LIBDIR}) # then nothing can be moved
  set(SLBSR_PC_PREFIX ${CMAKE_INSTALL_PREFIX})
else()
  file(RELATIVE_PATH SLBSR_PC_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
  string(REGEX REPLACE "^(.*[^/])/?$" "\${pcfiledir}/\\1" SLBSR_PC_PREFIX "${SLBSR_PC_PREFIX}")
endif()
foreach(dir LIBDIR INCLUDEDIR)
  set(SLBSR_PC_${dir} ${CMAKE_INSTALL_${dir}})
  if(NOT IS_ABSOLUTE ${CMAKE_INSTALL_${dir}})
    set(SLBSR_PC_${dir} "\${prefix}/${CMAKE_INSTALL_${dir}}")
  endif()
endforeach()
set(SLBSR_STATIC_LIBS -lcjson -lz -lgomp -lpthread -lm)
if(CMAKE_C_COMPILER_ID MATCHES "Clang")
  list(TRANSFORM SLBSR_STATIC_LIBS REPLACE "^-lgomp$" "-lomp")
endif()
list(JOIN SLBSR_STATIC_LIBS " " SLBSR_PC_LIBS)
configure_file(src/slbsr.pc.in slbsr.pc @ONLY)
include(CMakePackageConfigHelpers)
configure_package_config_file(src/slbsrConfig.cmake.in slbsrConfig.cmake INSTALL_DESTINATION ${SLBSR_CMAKE_DIR}
                              PATH_VARS CMAKE_INSTALL_LIBDIR CMAKE_INSTALL_INCLUDEDIR)
write_basic_package_version_file(slbsrConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/slbsr.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)
install(FILES ${CMAKE_BINARY_DIR}/slbsrConfig.cmake ${CMAKE_BINARY_DIR}/slbsrConfigVersion.cmake
        DESTINATION ${SLBSR_CMAKE_DIR} COMPONENT development)
install(EXPORT slbsr DESTINATION ${SLBSR_CMAKE_DIR} NAMESPACE slbsr:: FILE slbsrTargets.cmake COMPONENT development)
