napari-aitrain check --task instances \
    --image aitrain-demo/data/nuclei.tif \
    --labels aitrain-demo/data/nuclei-labels.tif \
    --boxes aitrain-demo/data/nuclei-boxes.json
