#include <stddef.h>
#include <stdio.h>
#include <turbojpeg.h>
#include <png.h>
#include <zlib.h>
