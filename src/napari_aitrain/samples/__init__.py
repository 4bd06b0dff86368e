"""Made-up microscopy with exact truth: what the demo trains on and what napari offers as sample data.

No package that is installed anyway ships real microscopy together with labels, so the images are computed.
"""

from .em import em_volume_3d
from .files import SampleFiles, write_image, write_sample
from .nuclei import nuclei_2d
from .sample import Sample

__all__ = ["Sample", "SampleFiles", "em_volume_3d", "nuclei_2d", "write_image", "write_sample"]
