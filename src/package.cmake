# The Debian package: `cpack -G DEB` in the build folder. What Debian wants otherwise than `cmake --install` puts it is
# arranged by package_deb.cmake.
set(CPACK_PACKAGE_NAME slbsr)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_VENDOR "slbsr authors")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "upscaler of pictures by low-bit neural networks")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION "slbsr makes pictures larger with neural networks whose weights have 1, 2
or 4 bits, on the processor: no graphics card is needed, and the pixels do
not depend on the machine. It also trains such networks, by SLB (searching
for low-bit weights), and measures them on test sets. The trained models are
inside the program.")
# The program alone: a library would be packages of its own.
set(CPACK_INSTALL_CMAKE_PROJECTS "${CMAKE_BINARY_DIR};slbsr;Unspecified;/")
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE
    WORLD_READ WORLD_EXECUTE)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SECTION graphics)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(maintainer "slbsr authors <slbsr@localhost>")
if(DEFINED ENV{DEBFULLNAME} AND DEFINED ENV{DEBEMAIL})
  set(maintainer "$ENV{DEBFULLNAME} <$ENV{DEBEMAIL}>")
endif()
set(SLBSR_MAINTAINER "${maintainer}" CACHE STRING "Who makes the Debian package: NAME <ADDRESS>")
set(CPACK_DEBIAN_PACKAGE_MAINTAINER "${SLBSR_MAINTAINER}")
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_SOURCE_DIR}/src/package_deb.cmake)
set(CPACK_SLBSR_DATE ${SLBSR_DATE})
include(CPack)
