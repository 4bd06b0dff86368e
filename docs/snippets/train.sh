napari-aitrain train --task instances \
    --image aitrain-demo/data/nuclei.tif \
    --labels aitrain-demo/data/nuclei-labels.tif \
    --boxes aitrain-demo/data/nuclei-boxes.json \
    --minutes 5 --out first-job
