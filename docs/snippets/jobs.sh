napari-aitrain jobs list
napari-aitrain jobs show first-job
napari-aitrain models show first-job
