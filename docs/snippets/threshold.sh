napari-aitrain predict first-job/model aitrain-demo/data/nuclei.tif --out found.tif --threshold 0.8
