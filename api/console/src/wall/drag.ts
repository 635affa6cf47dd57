// Cameras are dragged from the list or a tile and dropped on a tile.

const TYPE = 'application/x-sharpeyes-camera';

export function dragCamera(event: DragEvent, camera: string | null): void {
  if (camera === null || event.dataTransfer === null) return;
  event.dataTransfer.setData(TYPE, camera);
  event.dataTransfer.effectAllowed = 'move';
}

export const isCamera = (event: DragEvent): boolean => event.dataTransfer?.types.includes(TYPE) === true;

export const droppedCamera = (event: DragEvent): string => event.dataTransfer?.getData(TYPE) ?? '';
