from napari_aitrain import evaluate, predict, train

data = "aitrain-demo/data"
result = train(
    image=f"{data}/nuclei.tif",
    labels=f"{data}/nuclei-labels.tif",
    boxes=f"{data}/nuclei-boxes.json",
    task="instances",
    minutes=5,
    out="python-job",
)
print(f"{result.steps} steps, best score {result.best}")

prediction = predict(result.model, f"{data}/nuclei.tif", threshold=0.8)
print(prediction.labels.shape, "with", len(prediction.scores) - 1, "objects before the threshold")

predict(result.model, "aitrain-demo/test/images", "python-test")
print(evaluate("python-test", "aitrain-demo/test/truth").metrics["ap50"])
