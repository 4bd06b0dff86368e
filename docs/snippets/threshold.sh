napari-aitrain predict first-job/model aitrain-demo/data/nuclei.tif --out found.tif --resume --threshold 0.8
