# The Debian packages: `cpack -G DEB` in the build folder makes one of the program, one of the shared library and one to
# build with it. What Debian wants otherwise than `cmake --install` puts it is arranged by package_deb.cmake, and
# otherwise than cpack has it by package_library.cmake.
set(CPACK_PACKAGE_NAME slbsr)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_VENDOR "slbsr authors")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "") # the packages have their own
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE
    WORLD_READ WORLD_EXECUTE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_COMPONENTS_ALL Unspecified library development) # the first has all that names no component
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)

set(networks "upscaler of pictures by low-bit neural networks")
set(CPACK_DEBIAN_UNSPECIFIED_PACKAGE_NAME slbsr)
set(CPACK_DEBIAN_UNSPECIFIED_PACKAGE_SECTION graphics)
set(CPACK_DEBIAN_UNSPECIFIED_DESCRIPTION "${networks}
slbsr makes pictures larger with neural networks whose weights have 1, 2
or 4 bits, on the processor: no graphics card is needed, and the pixels do
not depend on the machine. It also trains such networks, by SLB (searching
for low-bit weights), and measures them on test sets. The trained models are
inside the program.")

set(soversion ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
set(library libslbsr${soversion})
set(about_library "slbsr makes pictures larger with neural networks whose weights have 1, 2
or 4 bits, on the processor. The library takes whole pictures in memory, or
rows in and rows out; the trained models are inside it.
.")
set(CPACK_DEBIAN_LIBRARY_PACKAGE_NAME ${library})
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_LIBRARY_DESCRIPTION "${networks}, shared library
${about_library}
This is the shared library, for programs that use it.")

set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libslbsr-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
# The static library wants the others at hand.
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS
    "${library} (= ${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}), libcjson-dev, zlib1g-dev, libgomp1")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SHLIBDEPS OFF)
set(CPACK_DEBIAN_DEVELOPMENT_DESCRIPTION "${networks}, files for development
${about_library}
This is what programs are built with: the header, the static library, and
files for pkg-config and CMake.")

# DEBFULLNAME and DEBEMAIL are those of whoever calls cpack (package_maintainer.cmake).
set(SLBSR_MAINTAINER "" CACHE STRING "Who makes the Debian packages: NAME <ADDRESS>; empty: see README.md")
if(SLBSR_MAINTAINER STREQUAL "slbsr authors <slbsr@localhost>") # as older build folders have kept it
  set(SLBSR_MAINTAINER "")
endif()
set(CPACK_DEBIAN_PACKAGE_MAINTAINER "${SLBSR_MAINTAINER}")
set(CPACK_PROJECT_CONFIG_FILE ${CMAKE_SOURCE_DIR}/src/package_maintainer.cmake)
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_SOURCE_DIR}/src/package_deb.cmake)
set(CPACK_POST_BUILD_SCRIPTS ${CMAKE_SOURCE_DIR}/src/package_library.cmake)
set(CPACK_SLBSR_DATE ${SLBSR_DATE})
set(CPACK_SLBSR_SOVERSION ${soversion})
set(CPACK_SLBSR_DOCS ${CMAKE_SOURCE_DIR})
set(CPACK_SLBSR_NM ${CMAKE_NM})
set(CPACK_SLBSR_STRIP ${CMAKE_STRIP})
include(CPack)
